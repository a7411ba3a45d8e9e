//! Tables of results as parquet files, and energies that stability is measured from.
#![no_main]

use std::sync::Once;

use crystalgym_evaluation::ResultTable;
use crystalgym_stability::ReferenceSet;
use libfuzzer_sys::fuzz_target;

static QUIET: Once = Once::new();

fuzz_target!(|data: &[u8]| {
    // The parquet reader's panics are caught, which the fuzzer's own hook does not wait for.
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    if first % 4 != 0 {
        let _ = ResultTable::from_bytes("fuzzed", rest.to_vec());
        return;
    }
    let Ok(folder) = tempfile::tempdir() else {
        return;
    };
    let path = folder.path().join("energies.csv");
    if std::fs::write(&path, rest).is_ok()
        && let Ok(set) = ReferenceSet::from_csv(&path)
    {
        // What is accepted has hulls.
        for phase in set.phases().iter().take(4) {
            let _ = set.hull_at(&phase.composition);
        }
    }
});
