//! Block formats of GGML, to the bit.
//!
//! Oracle: `gguf.quants.dequantize` on random blocks (`.ci/language_oracle tiny`).
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::Oracle;
use crystalgym_language::{BlockFormat, Matrix, Storage};

#[test]
fn every_format_is_unpacked_to_the_bit() {
    let oracle = Oracle::read("blocks.json");
    for (name, format) in [
        ("Q8_0", BlockFormat::Q8_0),
        ("Q4_0", BlockFormat::Q4_0),
        ("Q4_1", BlockFormat::Q4_1),
        ("Q4_K", BlockFormat::Q4K),
    ] {
        let value = &oracle.value()[name];
        let bytes: Vec<u8> = serde_json::from_value(value["bytes"].clone()).unwrap();
        let bits: Vec<u32> = serde_json::from_value(value["bits"].clone()).unwrap();
        assert_eq!(bytes.len(), 4 * format.bytes(), "{name}");
        let matrix = Matrix::new(4, format.values(), Storage::Blocks(format, bytes)).unwrap();
        let found: Vec<u32> = matrix.to_values().iter().map(|x| x.to_bits()).collect();
        assert_eq!(found, bits, "{name}");
        let mut some = vec![0.0; 2 * format.values()];
        matrix.dequantise(1..3, &mut some);
        let found: Vec<u32> = some.iter().map(|x| x.to_bits()).collect();
        assert_eq!(found, bits[format.values()..3 * format.values()], "{name}");
    }
}
