//! Files of networks.
#![no_main]

use crystalgym_networks::Checkpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = Checkpoint::from_bytes(data);
});
