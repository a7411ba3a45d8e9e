//! UPF files of both versions, by the header's reader and by the engine's.
#![no_main]

use std::path::Path;

use crystalgym_dft::pseudo::Pseudopotential;
use crystalgym_pseudopotential::UpfHeader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let path = Path::new("fuzzed.upf");
    let _ = UpfHeader::parse(data, path);
    let text = String::from_utf8_lossy(data);
    if let Ok(pseudopotential) = Pseudopotential::from_upf(&text, path) {
        // Form factors of what was accepted are numbers.
        assert!(pseudopotential.z_valence().is_finite());
        assert!(pseudopotential.local(1.0).is_finite());
    }
});
