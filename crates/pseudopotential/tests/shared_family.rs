//! The published files themselves, where present.

use crystalgym_pseudopotential::{Manifest, PseudopotentialFamily, UpfVersion};

/// Oracle: `grep z_valence` and "Z valence" in the files, and their published MD5 sums.
#[test]
fn the_published_files_pass_the_built_in_table() {
    let Some(folder) = crystalgym_testing::shared_data("data/sssp-1.3.0-pbe-efficiency") else {
        return;
    };
    let manifest = Manifest::built_in_named("SSSP-1.3.0-PBE-efficiency").unwrap();
    let report = manifest.check(&folder).unwrap();
    let problems: Vec<_> = report.problems().collect();
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(report.elements.len(), 50);
    assert!(report.unused_files.is_empty());

    let by_headers = PseudopotentialFamily::open_folder(&folder).unwrap();
    assert_eq!(by_headers.elements().len(), 50);
    for row in &report.elements {
        let known = row.result.as_ref().unwrap();
        let found = by_headers.pseudopotential(row.element).unwrap();
        assert_eq!(&found, known, "known by MD5 sum, manifest or not");
    }
    let valence = |symbol: &str| {
        let element = symbol.parse().unwrap();
        by_headers.pseudopotential(element).unwrap().z_valence
    };
    let expected = [
        ("Cl", 7.0),
        ("Na", 9.0),
        ("Cs", 9.0),
        ("H", 1.0),
        ("Ag", 19.0),
    ];
    for (symbol, z) in expected {
        assert_eq!(valence(symbol), z, "{symbol}");
    }
    let version = |symbol: &str| {
        let content = std::fs::read(folder.join(format!("{symbol}.upf"))).unwrap();
        crystalgym_pseudopotential::UpfHeader::parse(&content, &folder)
            .unwrap()
            .version
    };
    assert_eq!(version("Cl"), UpfVersion::V1);
    assert_eq!(version("Ag"), UpfVersion::V2);
}
