//! How texts are cut into words before byte pairs are merged.
//!
//! The published rules are regular expressions; they are written out here for ASCII, which is all that
//! crystals are written with.

/// A rule for words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    /// GPT-2: `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
    Gpt2,
    /// The same after every digit was set apart (SmolLM).
    SingleDigits,
    /// [`LLAMA_3`]: up to three digits together.
    Llama3,
    /// The text is one word.
    Whole,
}

/// The rule of Llama 3 as its `tokenizer.json` has it.
pub(super) const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const CONTRACTIONS: [&[u8]; 7] = [b"'s", b"'t", b"'re", b"'ve", b"'m", b"'ll", b"'d"];

impl Words {
    /// The words of an ASCII text, none of which is empty.
    pub(super) fn cut(self, text: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Whole if text.is_empty() => Vec::new(),
            Self::Whole => vec![text],
            Self::Gpt2 => each(text, gpt2),
            Self::Llama3 => each(text, llama3),
            Self::SingleDigits => {
                let mut words = Vec::new();
                let mut rest = text;
                while !rest.is_empty() {
                    let before = run(rest, |byte| !byte.is_ascii_digit());
                    words.extend(each(&rest[..before], gpt2));
                    let digits = usize::from(before < rest.len());
                    words.extend((digits == 1).then(|| &rest[before..before + 1]));
                    rest = &rest[before + digits..];
                }
                words
            }
        }
    }
}

fn each(mut text: &[u8], length: fn(&[u8]) -> usize) -> Vec<&[u8]> {
    let mut words = Vec::new();
    while !text.is_empty() {
        let (word, rest) = text.split_at(length(text).clamp(1, text.len()));
        words.push(word);
        text = rest;
    }
    words
}

fn run(text: &[u8], holds: impl Fn(u8) -> bool) -> usize {
    text.iter().take_while(|byte| holds(**byte)).count()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic()
}

fn is_other(byte: u8) -> bool {
    !is_space(byte) && !byte.is_ascii_alphanumeric()
}

/// Length of the first word by the rule of GPT-2.
fn gpt2(text: &[u8]) -> usize {
    if let Some(found) = CONTRACTIONS.iter().find(|short| text.starts_with(short)) {
        return found.len();
    }
    let blank = usize::from(text[0] == b' ');
    for kind in [is_letter, |byte: u8| byte.is_ascii_digit(), is_other] {
        let length = run(&text[blank..], kind);
        if length > 0 {
            return blank + length;
        }
    }
    blanks(text)
}

/// Length of the first word by the rule of Llama 3.
fn llama3(text: &[u8]) -> usize {
    let is_break = |byte: u8| matches!(byte, b'\r' | b'\n');
    let contraction = |short: &&&[u8]| {
        text.get(..short.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(short))
    };
    if let Some(found) = CONTRACTIONS.iter().find(contraction) {
        return found.len();
    }
    let lead = usize::from(!is_break(text[0]) && !text[0].is_ascii_alphanumeric());
    let letters = run(&text[lead..], is_letter);
    if letters > 0 {
        return lead + letters;
    }
    let digits = run(text, |byte| byte.is_ascii_digit());
    if digits > 0 {
        return digits.min(3);
    }
    let blank = usize::from(text[0] == b' ');
    let others = run(&text[blank..], is_other);
    if others > 0 {
        let end = blank + others;
        return end + run(&text[end..], is_break);
    }
    let spaces = run(text, is_space);
    match text[..spaces].iter().rposition(|&byte| is_break(byte)) {
        Some(last) => last + 1,
        None => blanks(text),
    }
}

/// `\s+(?!\S)|\s+`: the last blank before a word is left to it.
fn blanks(text: &[u8]) -> usize {
    let spaces = run(text, is_space);
    match spaces < text.len() && spaces > 1 {
        true => spaces - 1,
        false => spaces,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(words: Words, text: &str) -> Vec<&str> {
        let cut = words.cut(text.as_bytes());
        cut.into_iter()
            .map(|word| std::str::from_utf8(word).unwrap())
            .collect()
    }

    /// Worked out by hand from the expressions.
    #[test]
    fn words_by_rule() {
        let text = "Don't  say 0.051\n\n x";
        let gpt2 = ["Don", "'t", " ", " say", " 0", ".", "051", "\n\n", " x"];
        assert_eq!(cut(Words::Gpt2, text), gpt2);
        let single = [
            "Don", "'t", " ", " say", " ", "0", ".", "0", "5", "1", "\n\n", " x",
        ];
        assert_eq!(cut(Words::SingleDigits, text), single);
        let llama = ["Don", "'t", " ", " say", " ", "0", ".", "051", "\n\n", " x"];
        assert_eq!(cut(Words::Llama3, text), llama);
        assert_eq!(
            cut(Words::Llama3, "1234 (a):\n \n  b"),
            ["123", "4", " (", "a", "):\n", " \n", " ", " b"]
        );
        assert_eq!(cut(Words::Whole, text), [text]);
        assert!(cut(Words::Whole, "").is_empty());
    }
}
