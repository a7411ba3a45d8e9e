//! Where text leaves for a terminal: nothing of it is obeyed there.
//!
//! Names of files, elements, reasons and settings come from files of somebody else. `println!` and
//! `eprintln!` of this crate, [`stdout`] and [`error_text`] write out what controls a terminal, turns
//! the direction of writing or cannot be seen (`\u{1b}`); lines and tabs stay.

use std::io::{self, IsTerminal, Write};

use crystalgym_benchmark::visible_lines;

/// Prints a line on standard output.
macro_rules! println {
    () => { ::std::println!() };
    ($($argument:tt)*) => {
        ::std::println!("{}", ::crystalgym_benchmark::visible_lines(&::std::format!($($argument)*)))
    };
}

/// Prints a line on standard error.
macro_rules! eprintln {
    () => { ::std::eprintln!() };
    ($($argument:tt)*) => {
        ::std::eprintln!("{}", ::crystalgym_benchmark::visible_lines(&::std::format!($($argument)*)))
    };
}

/// Standard output for text.
pub(crate) fn stdout() -> Shown<io::StdoutLock<'static>> {
    Shown {
        out: io::stdout().lock(),
        rest: Vec::new(),
        has_styles: io::stdout().is_terminal() && std::env::var_os(NO_COLOUR).is_none(),
    }
}

/// Turns colours and bold letters off whatever standard output is (no-color.org).
const NO_COLOUR: &str = "NO_COLOR";

/// Standard output for data that is also a file's: shown like text on a terminal, and to the last
/// byte as it is elsewhere.
pub(crate) fn data() -> Box<dyn Write + Send> {
    match io::stdout().is_terminal() {
        true => Box::new(Shown {
            out: io::stdout(),
            rest: Vec::new(),
            has_styles: false,
        }),
        false => Box::new(io::stdout()),
    }
}

/// Text on its way to a terminal.
#[derive(Debug)]
pub(crate) struct Shown<W: Write> {
    out: W,
    /// The beginning of a character whose end has not come yet.
    rest: Vec<u8>,
    /// Whether headings stand out.
    has_styles: bool,
}

impl<W: Write> Shown<W> {
    /// Writes text that stands out where a terminal shows it, bold and cyan.
    pub(crate) fn strong(&mut self, text: &str) -> io::Result<()> {
        if !self.has_styles {
            return self.write_all(text.as_bytes());
        }
        self.out.write_all(b"\x1b[1;36m")?;
        self.write_all(text.as_bytes())?;
        self.out.write_all(b"\x1b[0m")
    }
}

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(data);
        loop {
            let (complete, is_all) = match std::str::from_utf8(&self.rest) {
                Ok(text) => (text.len(), true),
                Err(error) => match error.error_len() {
                    None => (error.valid_up_to(), true),
                    Some(length) => (error.valid_up_to() + length, false),
                },
            };
            let text: Vec<u8> = self.rest.drain(..complete).collect();
            let text = String::from_utf8_lossy(&text);
            self.out.write_all(visible_lines(&text).as_bytes())?;
            if is_all {
                break;
            }
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A value as JSON in which nothing is hidden either: `\u202e` and the like.
///
/// # Errors
/// A value that is no JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> serde_json::Result<String> {
    let mut text = String::new();
    for c in serde_json::to_string_pretty(value)?.chars() {
        let one = c.to_string();
        if visible_lines(&one) == one {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            text += &format!("\\u{unit:04x}");
        }
    }
    Ok(text)
}

/// An error with its causes; one that its context has quoted already is not said again.
pub(crate) fn error_text(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let said = cause.to_string();
        if text.is_empty() {
            text = said;
        } else if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
    }
    visible_lines(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    /// Oracle: written out by hand; a character that comes in two pieces is one.
    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        let mut shown = Shown {
            out: Vec::new(),
            rest: Vec::new(),
            has_styles: false,
        };
        shown.write_all(b"a\x1b[2J\tb\xc3").unwrap();
        shown.write_all(b"\xa4\n\xff\x9b\xe2\x80").unwrap();
        shown.write_all(b"\xae").unwrap();
        let text = String::from_utf8(shown.out).unwrap();
        assert!(text.starts_with("a\\u{1b}[2J\tb\u{e4}\n"), "{text}");
        assert!(text.ends_with("\\u{202e}"), "{text}");
    }

    /// Oracle: ECMA-48, select graphic rendition. What is within is text all the same.
    #[test]
    fn what_stands_out_is_marked_on_a_terminal_alone() {
        for (has_styles, expected) in [
            (false, "a\\u{1b}[2J"),
            (true, "\x1b[1;36ma\\u{1b}[2J\x1b[0m"),
        ] {
            let mut shown = Shown {
                out: Vec::new(),
                rest: Vec::new(),
                has_styles,
            };
            shown.strong("a\x1b[2J").unwrap();
            assert_eq!(String::from_utf8(shown.out).unwrap(), expected);
        }
    }

    #[test]
    fn a_cause_is_said_once() {
        let error: anyhow::Result<()> =
            Err(io::Error::other("no space")).context("a.csv: no space");
        assert_eq!(error_text(&error.unwrap_err()), "a.csv: no space");
        let error: anyhow::Result<()> = Err(io::Error::other("no \u{7}space")).context("a.csv");
        assert_eq!(error_text(&error.unwrap_err()), "a.csv: no \\u{7}space");
    }
}
