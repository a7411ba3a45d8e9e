//! Words, quoted strings and text fields of CIF 1.1 and 2.0, as slices of the text.

use super::error::parse_error;
use crate::CrystalError;

/// A word or a string, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Token<'a> {
    pub text: &'a str,
    /// Line counted from 1.
    pub line: usize,
    pub quoted: bool,
}

impl<'a> Token<'a> {
    pub(super) fn is_tag(&self) -> bool {
        !self.quoted && self.text.starts_with('_')
    }

    /// The rest of a word that starts with a reserved one, such as the name after `data_`.
    pub(super) fn after_keyword(&self, keyword: &str) -> Option<&'a str> {
        let start = self.text.get(..keyword.len())?;
        (!self.quoted && start.eq_ignore_ascii_case(keyword)).then(|| &self.text[keyword.len()..])
    }

    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        self.after_keyword(keyword) == Some("")
    }

    pub(super) fn is_value(&self) -> bool {
        let reserved = ["loop_", "stop_", "global_"];
        !self.is_tag()
            && self.after_keyword("data_").is_none()
            && self.after_keyword("save_").is_none()
            && !reserved.iter().any(|keyword| self.is_keyword(keyword))
    }

    /// Whether the value is `?` (unknown) or `.` (does not apply), or nothing at all.
    pub(super) fn is_null(&self) -> bool {
        let text = self.text.trim();
        text.is_empty() || matches!(text, "?" | ".")
    }
}

/// The words and strings of `text`, whose lines end with `\n`; comments are dropped.
pub(super) fn tokenize(text: &str) -> Result<Vec<Token<'_>>, CrystalError> {
    let mut lexer = Lexer {
        text,
        at: 0,
        line: 1,
        second_version: text
            .lines()
            .next()
            .is_some_and(|first| first.starts_with("#\\#CIF_2.0")),
    };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    second_version: bool,
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c == '\u{feff}'
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Result<Option<Token<'a>>, CrystalError> {
        loop {
            let rest = self.rest();
            let Some(c) = rest.chars().next() else {
                return Ok(None);
            };
            if c == '#' {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if is_blank(c) {
                self.advance(c.len_utf8());
            } else {
                break;
            }
        }
        let rest = self.rest();
        let at_line_start = self.at == 0 || self.text[..self.at].ends_with('\n');
        if at_line_start && rest.starts_with(';') {
            return self.delimited(1, "\n;").map(Some);
        }
        for quote in ["\"\"\"", "'''"] {
            let closed = || rest[quote.len()..].contains(quote);
            if rest.starts_with(quote) && (self.second_version || closed()) {
                return self.delimited(quote.len(), quote).map(Some);
            }
        }
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '\'' | '"')) {
            return self.quoted(quote).map(Some);
        }
        let length = if self.second_version && rest.starts_with(['[', '{']) {
            self.bracketed()?
        } else {
            rest.find(is_blank).unwrap_or(rest.len())
        };
        Ok(Some(self.take(0, length, 0, false)))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn advance(&mut self, bytes: usize) {
        self.line += self.rest()[..bytes].matches('\n').count();
        self.at += bytes;
    }

    /// A token of `length` bytes between opening and closing marks.
    fn take(&mut self, opening: usize, length: usize, closing: usize, quoted: bool) -> Token<'a> {
        let token = Token {
            text: &self.rest()[opening..opening + length],
            line: self.line,
            quoted,
        };
        self.advance(opening + length + closing);
        token
    }

    fn unclosed(&self, closing: &str) -> CrystalError {
        let start = self.rest().lines().next().unwrap_or_default();
        let message = format!("the string {start} has no closing {}", closing.trim());
        parse_error(self.line, message)
    }

    fn delimited(&mut self, opening: usize, closing: &str) -> Result<Token<'a>, CrystalError> {
        let length = self.rest()[opening..]
            .find(closing)
            .ok_or_else(|| self.unclosed(closing))?;
        Ok(self.take(opening, length, closing.len(), true))
    }

    /// A quote ends a string only before a blank, `'O5''` is the label O5', or in CIF 2 before
    /// what ends an entry of a list.
    fn quoted(&mut self, quote: char) -> Result<Token<'a>, CrystalError> {
        let line = self.rest().lines().next().unwrap_or_default();
        let body = &line[1..];
        let length = body
            .match_indices(quote)
            .map(|(at, _)| at)
            .find(|at| {
                let next = body[at + 1..].chars().next();
                next.is_none_or(|c| is_blank(c) || (self.second_version && "]},:".contains(c)))
            })
            .ok_or_else(|| self.unclosed(&quote.to_string()))?;
        Ok(self.take(1, length, 1, true))
    }

    /// Length in bytes of a list or a table, which nothing here reads.
    fn bracketed(&self) -> Result<usize, CrystalError> {
        let mut depth = 0_usize;
        let mut quote = None;
        for (at, c) in self.rest().char_indices() {
            match quote {
                Some(open) if c == open => quote = None,
                Some(_) => {}
                None if matches!(c, '\'' | '"') => quote = Some(c),
                None if matches!(c, '[' | '{') => depth += 1,
                None if matches!(c, ']' | '}') => depth = depth.saturating_sub(1),
                None => {}
            }
            if depth == 0 {
                return Ok(at + c.len_utf8());
            }
        }
        Err(self.unclosed("bracket"))
    }
}
