//! Results that are submitted to a leaderboard, plain or compressed.
#![no_main]

use crystalgym_benchmark::ResultFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let Ok(folder) = tempfile::tempdir() else {
        return;
    };
    let name = if first % 2 == 0 {
        "result.json"
    } else {
        "result.json.gz"
    };
    let path = folder.path().join(name);
    if std::fs::write(&path, rest).is_ok() {
        let _ = ResultFile::read(&path);
    }
});
