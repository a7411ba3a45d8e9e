//! Version 1 line by line: labels end a line, blocks of numbers go over many.

use super::{Section, UpfError, parse_flag, parse_integer, parse_number, shorten};

/// The lines of a section.
#[derive(Debug)]
pub struct Lines<'a, 'b> {
    section: &'b Section<'a>,
    text: &'a str,
}

impl<'a, 'b> Lines<'a, 'b> {
    /// From the beginning of the section.
    pub fn new(section: &'b Section<'a>) -> Self {
        Self::from(section, section.body)
    }

    /// From the beginning of `text`, which is part of the section.
    pub fn from(section: &'b Section<'a>, text: &'a str) -> Self {
        Self { section, text }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a str {
        self.text
    }

    /// The words of the next line that is not empty; `what` is for the message.
    ///
    /// # Errors
    /// [`UpfError`] at the end of the section.
    pub fn words(&mut self, what: &str) -> Result<Vec<&'a str>, UpfError> {
        self.text = self.text.trim_start();
        if self.text.is_empty() {
            return Err(self.section.error(format!("it ends before '{what}'")));
        }
        let (line, rest) = self.text.split_once('\n').unwrap_or((self.text, ""));
        self.text = rest;
        Ok(line.split_whitespace().collect())
    }

    /// The first word of the next line.
    ///
    /// # Errors
    /// As [`words`](Self::words).
    pub fn first(&mut self, what: &str) -> Result<&'a str, UpfError> {
        self.words(what).map(|words| words[0])
    }

    /// The first word of the next line as a logical value.
    ///
    /// # Errors
    /// [`UpfError`] for a spelling that [`parse_flag`] does not know.
    pub fn flag(&mut self, what: &str) -> Result<bool, UpfError> {
        let word = self.first(what)?;
        parse_flag(word).ok_or_else(|| {
            let word = shorten(word);
            self.section
                .error(format!("'{what}' is '{word}', expected T or F"))
        })
    }

    /// The first `count` words of the next line as numbers.
    ///
    /// # Errors
    /// [`UpfError`] if they are none.
    pub fn numbers(&mut self, what: &str, count: usize) -> Result<Vec<f64>, UpfError> {
        let words = self.words(what)?;
        let numbers: Option<Vec<f64>> = (0..count)
            .map(|i| words.get(i).and_then(|word| parse_number(word)))
            .collect();
        numbers.ok_or_else(|| {
            let line = shorten(&words.join(" "));
            self.section.error(format!(
                "line '{line}', expected {count} number(s) for '{what}'"
            ))
        })
    }

    /// The first `count` words of the next line as whole numbers up to `limit`.
    ///
    /// # Errors
    /// [`UpfError`] if they are none.
    pub fn integers(
        &mut self,
        what: &str,
        count: usize,
        limit: usize,
    ) -> Result<Vec<usize>, UpfError> {
        let words = self.words(what)?;
        let numbers: Option<Vec<usize>> = (0..count)
            .map(|i| words.get(i).and_then(|word| parse_integer(word, limit)))
            .collect();
        numbers.ok_or_else(|| {
            let line = shorten(&words.join(" "));
            self.section.error(format!(
                "line '{line}', expected {count} whole number(s) up to {limit} for '{what}'"
            ))
        })
    }

    /// The next `count` numbers, over as many lines as they take.
    ///
    /// # Errors
    /// [`UpfError`] if there are fewer, or what is no number among them.
    pub fn block(&mut self, count: usize) -> Result<Vec<f64>, UpfError> {
        let mut values = Vec::with_capacity(count.min(self.text.len()));
        for _ in 0..count {
            let text = self.text.trim_start();
            let end = text.find(char::is_whitespace).unwrap_or(text.len());
            let (word, rest) = text.split_at(end);
            self.text = rest;
            values.push(parse_number(word).ok_or_else(|| {
                self.section.error(format!(
                    "number {} of {count} is '{}', expected a finite number",
                    values.len() + 1,
                    shorten(word)
                ))
            })?);
        }
        Ok(values)
    }
}
