//! Text of a file in the encoding that it is written in.

/// The text of `bytes`: UTF-8, UTF-16 with a byte order mark (or recognised by its zero bytes), or
/// else Latin-1, which is what structure files from before Unicode are in. A mark is left out.
pub(super) fn decode(bytes: &[u8]) -> String {
    let utf_16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| unit(*pair))
            .collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf_16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf_16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf_8_or_latin_1(rest),
        // The first four characters of a structure file are ASCII.
        [a, 0, b, 0, c, 0, d, 0, ..] if [a, b, c, d].iter().all(|byte| **byte != 0) => {
            utf_16(bytes, u16::from_le_bytes)
        }
        [0, a, 0, b, 0, c, 0, d, ..] if [a, b, c, d].iter().all(|byte| **byte != 0) => {
            utf_16(bytes, u16::from_be_bytes)
        }
        _ => utf_8_or_latin_1(bytes),
    }
}

fn utf_8_or_latin_1(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    /// Oracle: the tables of the encodings; é is E9 in Latin-1 and 00E9 in UTF-16.
    #[test]
    fn encodings() {
        let text = "data_é";
        let utf_16: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> = utf_16.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = utf_16.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
            b"data_\xE9".to_vec(),
            [b"\xFF\xFE", little.as_slice()].concat(),
            [b"\xFE\xFF", big.as_slice()].concat(),
            little,
            big,
        ] {
            assert_eq!(decode(&bytes), text, "{bytes:?}");
        }
        assert_eq!(decode(b""), "");
    }
}
