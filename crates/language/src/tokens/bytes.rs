//! The characters that stand for bytes in byte-level vocabularies.

/// The character that stands for a byte (GPT-2): printable ones for themselves, the others from U+0100
/// on.
pub(super) fn byte_character(byte: u8) -> char {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    match printable(byte) {
        true => char::from(byte),
        false => {
            let before = (0..byte).filter(|&byte| !printable(byte)).count() as u32;
            char::from_u32(256 + before).unwrap_or('\u{fffd}')
        }
    }
}

/// The byte that a character stands for, if it does.
pub(super) fn character_byte(character: char) -> Option<u8> {
    (0..=255).find(|&byte| byte_character(byte) == character)
}
