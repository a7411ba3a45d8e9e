//! Output of pw.x, damaged in whatever way.
#![no_main]

use crystalgym_qe::PwOutputParser;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut parser = PwOutputParser::default();
    for line in text.lines() {
        parser.line(line);
    }
    let _ = parser.finish();
});
