//! Structure files: no panic, no hang, and what is read survives being written and read again.
#![no_main]

use crystalgym_crystal::{SYMMETRY_TOLERANCE_ANG, Skeleton, Structure, StructureFormat};
use libfuzzer_sys::fuzz_target;

const FORMATS: [StructureFormat; 4] = [
    StructureFormat::Cif,
    StructureFormat::Poscar,
    StructureFormat::ExtXyz,
    StructureFormat::Json,
];

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(rest);
    let format = FORMATS[usize::from(*first) % FORMATS.len()];
    let Ok(structure) = Structure::from_text(&text, format) else {
        return;
    };
    for format in FORMATS {
        let written = structure.to_text(format);
        match Structure::from_text(&written, format) {
            Ok(again) => {
                assert_eq!(again.elements.len(), structure.elements.len(), "{format:?}");
                let ratio = again.lattice.volume() / structure.lattice.volume();
                assert!((ratio - 1.0).abs() < 1e-6, "{format:?}: {ratio}");
            }
            Err(error) => panic!("{format:?}: written and not read: {error}\n{written}"),
        }
    }
    if structure.elements.len() <= 16 {
        let _ = Skeleton::from_structure("fuzzed", &structure, SYMMETRY_TOLERANCE_ANG);
    }
});
