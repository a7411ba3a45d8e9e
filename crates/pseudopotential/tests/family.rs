//! Families made on the fly: how files are found and what is said when they are wrong.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::{fs, path::Path};

use common::{element, manifest, upf};
use crystalgym_pseudopotential::{Manifest, PseudopotentialError, PseudopotentialFamily};

fn message(family: &PseudopotentialFamily, symbol: &str) -> String {
    family
        .pseudopotential(element(symbol))
        .unwrap_err()
        .to_string()
}

#[test]
fn a_file_is_found_under_its_original_name_and_under_its_element() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = manifest(&[("H", "h_pbe.UPF"), ("Cl", "cl_pbe.UPF")]);
    fs::write(folder.path().join("h_pbe.UPF"), upf("H", 1.0)).unwrap();
    fs::write(folder.path().join("Cl.upf"), upf("Cl", 7.0)).unwrap();
    let family = PseudopotentialFamily::with_manifest(manifest.clone(), folder.path());
    let chlorine = family.pseudopotential(element("Cl")).unwrap();
    assert_eq!(chlorine.path, folder.path().join("Cl.upf"));
    assert_eq!(chlorine.z_valence, 7.0);
    assert_eq!(chlorine.cutoffs.unwrap().ecutrho_ry, 240.0);
    assert!(family.check().unwrap().is_complete());

    // A wrong file under one name does not hide the right one under the other.
    fs::write(folder.path().join("cl_pbe.UPF"), upf("Cl", 5.0)).unwrap();
    assert_eq!(family.pseudopotential(element("Cl")).unwrap(), chlorine);
    let report = family.check().unwrap();
    assert_eq!(report.unused_files, [folder.path().join("cl_pbe.UPF")]);
}

#[test]
fn wrong_and_missing_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = manifest(&[("H", "h_pbe.UPF"), ("Cl", "cl_pbe.UPF")]);
    fs::write(
        folder.path().join("h_pbe.UPF"),
        "<PP_HEADER element='H' z_valence='2' pseudo_type='NC'/>",
    )
    .unwrap();
    let expected = manifest.elements[&element("H")].md5.clone();
    let family = PseudopotentialFamily::with_manifest(manifest, folder.path());
    let wrong = message(&family, "H");
    assert!(
        wrong.contains("h_pbe.UPF") && wrong.contains(&expected),
        "{wrong}"
    );
    let missing = message(&family, "Cl");
    assert!(missing.contains("cl_pbe.UPF or Cl.upf"), "{missing}");
    let unlisted = message(&family, "Na");
    assert!(unlisted.contains("no pseudopotential for Na"), "{unlisted}");
    let report = family.check().unwrap();
    assert!(!report.is_complete());
    assert_eq!(report.problems().count(), 2);
}

#[test]
fn a_changed_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("H.upf");
    fs::write(&path, upf("H", 1.0)).unwrap();
    let family = PseudopotentialFamily::with_manifest(manifest(&[("H", "H.upf")]), folder.path());
    family.pseudopotential(element("H")).unwrap();
    fs::write(&path, format!("{} ", upf("H", 1.0))).unwrap();
    assert!(message(&family, "H").contains("MD5"));
    fs::remove_file(&path).unwrap();
    assert!(message(&family, "H").contains("no pseudopotential for H"));
}

#[test]
fn without_a_manifest_the_headers_decide() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.UPF"), upf("Na", 9.0)).unwrap();
    fs::write(folder.path().join("b.upf"), upf("F", 7.0)).unwrap();
    fs::write(folder.path().join("notes.upf"), "not a pseudopotential").unwrap();
    let family = PseudopotentialFamily::open_folder(folder.path()).unwrap();
    assert_eq!(family.elements(), [element("F"), element("Na")]);
    let sodium = family.pseudopotential(element("Na")).unwrap();
    assert_eq!((sodium.z_valence, sodium.cutoffs), (9.0, None));
    let report = family.check().unwrap();
    assert_eq!(report.unused_files, [folder.path().join("notes.upf")]);

    // A file that cannot be read is named where its element is asked for.
    let odd = upf("Cl", 7.0).replace("mesh_size", "core_correction=\"yes\" mesh_size");
    fs::write(folder.path().join("cl_pbe.upf"), odd).unwrap();
    let family = PseudopotentialFamily::open_folder(folder.path()).unwrap();
    let odd = message(&family, "Cl");
    assert!(
        odd.contains("cl_pbe.upf") && odd.contains("'core_correction' is 'yes'"),
        "{odd}"
    );
    assert!(message(&family, "C").contains("no pseudopotential for C"));

    fs::write(folder.path().join("c.upf"), upf("Na", 1.0)).unwrap();
    let family = PseudopotentialFamily::open_folder(folder.path()).unwrap();
    let ambiguous = message(&family, "Na");
    assert!(
        ambiguous.contains("a.UPF") && ambiguous.contains("c.upf"),
        "{ambiguous}"
    );
    family.pseudopotential(element("F")).unwrap();
}

#[test]
fn a_manifest_in_the_folder_is_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.upf"), upf("H", 1.0)).unwrap();
    let md5 = manifest(&[("H", "x.upf")]).elements[&element("H")]
        .md5
        .clone();
    let write = |text: String| fs::write(folder.path().join(Manifest::FILE_NAME), text).unwrap();
    let head = "name = 'mine'\nfunctional = 'PBEsol'\n";

    write(format!(
        "{head}[elements.H]\nfile = 'x.upf'\nmd5 = '{md5}'\nz_valence = 1.0\n"
    ));
    let family = PseudopotentialFamily::open(&folder.path().display().to_string()).unwrap();
    assert_eq!(
        (family.name(), family.functional()),
        ("mine", Some("PBEsol"))
    );
    assert_eq!(family.pseudopotential(element("H")).unwrap().z_valence, 1.0);

    write(format!(
        "{head}[elements.H]\nfile = 'x.upf'\nmd5 = '{md5}'\nz_valence = 3.0\n"
    ));
    let family = PseudopotentialFamily::open_folder(folder.path()).unwrap();
    assert!(message(&family, "H").contains("z_valence is 3"));

    write(format!(
        "{head}[elements.He]\nfile = 'x.upf'\nmd5 = '{md5}'\n"
    ));
    let family = PseudopotentialFamily::open_folder(folder.path()).unwrap();
    assert!(message(&family, "He").contains("is a pseudopotential of H, expected He"));

    write(format!("{head}[elements.Xx]\nfile = 'x.upf'\n"));
    let error = PseudopotentialFamily::open_folder(folder.path()).unwrap_err();
    assert!(error.to_string().contains("family.toml"), "{error}");
}

#[test]
fn an_unknown_name_lists_the_known_ones() {
    let error = PseudopotentialFamily::open("no-such-family").unwrap_err();
    assert!(matches!(error, PseudopotentialError::UnknownFamily { .. }));
    assert!(
        error.to_string().contains("SSSP-1.3.0-PBE-efficiency"),
        "{error}"
    );
    let error = PseudopotentialFamily::open_folder(Path::new("no/such/folder")).unwrap_err();
    assert!(error.to_string().contains("no/such/folder"), "{error}");
}

/// A manifest that a stranger's folder links to something endless.
#[test]
fn a_manifest_that_is_a_device_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("family.toml")).unwrap();
    let error = PseudopotentialFamily::open_folder(folder.path()).unwrap_err();
    let text = std::error::Error::source(&error)
        .map_or(error.to_string(), |cause| format!("{error}: {cause}"));
    assert!(
        text.contains("family.toml") && text.contains("regular file"),
        "{text}"
    );
}
