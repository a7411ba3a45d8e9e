//! Tests of what a configuration may say.

use crystalgym_crystal::Structure;

use super::*;

fn error(config: &TaskConfig) -> String {
    Task::new(config).unwrap_err().to_string()
}

#[test]
fn bad_configurations_name_the_field_and_the_value() {
    let base = TaskConfig::default();
    let no_skeleton = TaskConfig {
        skeletons: vec![],
        ..base.clone()
    };
    assert!(error(&no_skeleton).contains("skeletons is empty"));
    let unknown = TaskConfig {
        skeletons: vec!["C9".into()],
        ..base.clone()
    };
    assert!(error(&unknown).contains("'C9'"));
    let target = TaskConfig {
        target: 0.0,
        ..base.clone()
    };
    assert!(error(&target).contains("target is 0, expected a number from 1e-6 to 1000000.0"));
    let start = TaskConfig {
        start_site: Some(5),
        ..base.clone()
    };
    assert!(error(&start).contains("start_site is 5, expected 0 to 4"));
    let site = TaskConfig {
        allowed: [("7".into(), vec![])].into(),
        ..base.clone()
    };
    assert!(error(&site).contains("no site '7'"));
    let gold = vec!["Au".parse().unwrap()];
    let element = TaskConfig {
        allowed: [("1".into(), gold)].into(),
        ..base
    };
    assert!(error(&element).contains("Au is not in the action set small"));
}

/// A label stands for a geometry: of two files of one name, of a file with the name of a built-in
/// skeleton, in any order.
#[test]
fn labels_tell_geometries_apart() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, a: f64| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let structure = Structure {
            lattice: crystalgym_crystal::Lattice::from_parameters([a; 3], [90.0; 3]).unwrap(),
            elements: vec!["Na".parse().unwrap()],
            frac_coords: vec![[0.0; 3]],
        };
        structure.to_file(&path).unwrap();
        path.to_string_lossy().into_owned()
    };
    let (first, second) = (file("same.json", 4.0), file("other/same.json", 5.0));
    let (third, builtin) = (file("third/same.json", 4.0), file("C2.json", 4.2));
    let labels = |skeletons: &[&str]| -> Vec<String> {
        let task = Task::new(&TaskConfig {
            skeletons: skeletons.iter().map(|name| (*name).to_owned()).collect(),
            ..TaskConfig::default()
        });
        let task = task.unwrap();
        task.skeletons().iter().map(|s| s.label.clone()).collect()
    };
    assert_eq!(labels(&[&first]), ["same"]);
    // One geometry is one skeleton, whatever its file.
    assert_eq!(labels(&[&first, &third]), ["same", "same"]);
    let both = labels(&[&first, &second]);
    assert_ne!(both[0], both[1]);
    assert!(
        both.iter().all(|label| label.starts_with("same-")),
        "{both:?}"
    );
    let turned = labels(&[&second, &first]);
    assert_eq!([&turned[1], &turned[0]], [&both[0], &both[1]]);
    let beside = labels(&["C2", &builtin]);
    assert_eq!(beside[0], "C2");
    assert!(beside[1].starts_with("C2-"), "{beside:?}");
    assert_eq!(labels(&[&builtin]), beside[1..]);
    assert_eq!(labels(&[&file("a\u{1b}\nb.json", 4.0)]), ["a__b"]);
}

#[test]
fn a_structure_file_serves_as_skeleton() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rock-salt.cif");
    let structure = Structure {
        lattice: crystalgym_crystal::Lattice::from_parameters([3.988; 3], [60.0; 3]).unwrap(),
        elements: vec!["Na".parse().unwrap(), "Cl".parse().unwrap()],
        frac_coords: vec![[0.0; 3], [0.5; 3]],
    };
    structure.to_file(&path).unwrap();
    let name = path.to_string_lossy().into_owned();
    let task = Task::new(&TaskConfig {
        skeletons: vec![name],
        ..TaskConfig::default()
    })
    .unwrap();
    assert_eq!(task.skeletons()[0].label, "rock-salt");
    assert_eq!(task.skeletons()[0].graph.bonds(), 6);
}
