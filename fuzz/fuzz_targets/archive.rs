//! Archives of pseudopotentials: a tar file, packed here where the first byte is odd.
#![no_main]

use std::io::Write;

use crystalgym_pseudopotential::{ArchiveLimits, ArchiveSource, Installation, Manifest};
use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, tar)) = data.split_first() else {
        return;
    };
    let Ok(folder) = tempfile::tempdir() else {
        return;
    };
    let Some(manifest) = Manifest::built_in().into_iter().next() else {
        return;
    };
    let archive = folder.path().join("family.tar.gz");
    let bytes = match first % 2 {
        0 => tar.to_vec(),
        _ => {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            let Ok(bytes) = packed.write_all(tar).and_then(|()| packed.finish()) else {
                return;
            };
            bytes
        }
    };
    if std::fs::write(&archive, bytes).is_err() {
        return;
    }
    let target = folder.path().join("family");
    let installation = Installation {
        source: Some(ArchiveSource::File(archive)),
        limits: ArchiveLimits::default(),
        ..Installation::new(manifest, target.clone())
    };
    let installed = installation.run(&mut |_, _| {}).is_ok();
    // What is refused leaves nothing behind.
    assert!(installed || !target.exists());
});
