//! Finding sections, their attributes and their numbers.

use super::UpfError;

/// `<NAME attributes>body</NAME>`; an empty body for `<NAME attributes/>`.
#[derive(Debug, Clone)]
pub struct Section<'a> {
    /// The tag's name.
    pub name: String,
    /// Names and values of its attributes.
    pub attributes: Vec<(&'a str, &'a str)>,
    /// What stands between the tags.
    pub body: &'a str,
    /// What follows the section.
    pub rest: &'a str,
}

/// No number of a pseudopotential is larger, in any unit: a damaged one must not become infinite in a
/// product.
const LARGEST_NUMBER: f64 = 1e30;

/// The first section of this name in `text`.
///
/// # Errors
/// [`UpfError`] if it is malformed.
pub fn find<'a>(text: &'a str, name: &str) -> Result<Option<Section<'a>>, UpfError> {
    let opening = format!("<{name}");
    let mut from = 0;
    while let Some(found) = text[from..].find(&opening) {
        let after = from + found + opening.len();
        // <PP_Q> is not the beginning of <PP_QIJL.1.1.0>.
        let boundary = text[after..].chars().next();
        if boundary.is_some_and(|c| c.is_whitespace() || c == '>' || c == '/') {
            return section(&text[after..], name).map(Some);
        }
        from = after;
    }
    Ok(None)
}

/// As [`find`], with an error if there is none.
///
/// # Errors
/// [`UpfError`] if it is missing or malformed.
pub fn require<'a>(text: &'a str, name: &str) -> Result<Section<'a>, UpfError> {
    find(text, name)?.ok_or_else(|| UpfError::new(name, "not found"))
}

fn section<'a>(after_name: &'a str, name: &str) -> Result<Section<'a>, UpfError> {
    let cut = |what: &str| UpfError::new(name, format!("{what}: is the file cut off?"));
    let mut attributes = Vec::new();
    let mut text = after_name;
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix("/>") {
            return Ok(Section {
                name: name.to_owned(),
                attributes,
                body: "",
                rest,
            });
        }
        if let Some(rest) = text.strip_prefix('>') {
            let closing = format!("</{name}>");
            let (body, rest) = rest
                .split_once(closing.as_str())
                .ok_or_else(|| cut(&format!("not closed by {closing}")))?;
            return Ok(Section {
                name: name.to_owned(),
                attributes,
                body,
                rest,
            });
        }
        let (key, rest) = text
            .split_once('=')
            .ok_or_else(|| cut("its attributes are not closed by '>'"))?;
        let rest = rest.trim_start();
        let quote = rest
            .chars()
            .next()
            .filter(|c| matches!(c, '"' | '\''))
            .ok_or_else(|| cut(&format!("attribute '{}' has no quoted value", shorten(key))))?;
        let (value, rest) = rest[1..]
            .split_once(quote)
            .ok_or_else(|| cut(&format!("the value of '{}' is not closed", shorten(key))))?;
        attributes.push((key.trim(), value.trim()));
        text = rest;
    }
}

impl<'a> Section<'a> {
    /// An error about this section.
    pub fn error(&self, message: impl Into<String>) -> UpfError {
        UpfError::new(&self.name, message)
    }

    /// The value of an attribute, if it is there.
    pub fn attribute(&self, key: &str) -> Option<&'a str> {
        self.attributes
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| *value)
    }

    /// The value of an attribute.
    ///
    /// # Errors
    /// [`UpfError`] if it is missing.
    pub fn required(&self, key: &str) -> Result<&'a str, UpfError> {
        self.attribute(key)
            .ok_or_else(|| self.error(format!("attribute '{key}' is missing")))
    }

    /// A number among the attributes.
    ///
    /// # Errors
    /// [`UpfError`] if it is missing or no number.
    pub fn number(&self, key: &str) -> Result<f64, UpfError> {
        let text = self.required(key)?;
        parse_number(text).ok_or_else(|| {
            let text = shorten(text);
            self.error(format!("'{key}' is '{text}', expected a finite number"))
        })
    }

    /// A count or index among the attributes, at most `limit`.
    ///
    /// # Errors
    /// [`UpfError`] if it is missing or out of range.
    pub fn integer(&self, key: &str, limit: usize) -> Result<usize, UpfError> {
        let text = self.required(key)?;
        parse_integer(text, limit).ok_or_else(|| {
            let text = shorten(text);
            self.error(format!(
                "'{key}' is '{text}', expected a whole number up to {limit}"
            ))
        })
    }

    /// A logical value, `None` if absent.
    ///
    /// # Errors
    /// [`UpfError`] for a spelling that [`parse_flag`] does not know.
    pub fn optional_flag(&self, key: &str) -> Result<Option<bool>, UpfError> {
        self.attribute(key)
            .map(|text| {
                parse_flag(text).ok_or_else(|| {
                    let text = shorten(text);
                    self.error(format!("'{key}' is '{text}', expected T or F"))
                })
            })
            .transpose()
    }

    /// As [`optional_flag`](Self::optional_flag), false if absent.
    ///
    /// # Errors
    /// The same.
    pub fn flag(&self, key: &str) -> Result<bool, UpfError> {
        self.optional_flag(key).map(Option::unwrap_or_default)
    }

    /// Exactly `count` numbers in the body.
    ///
    /// # Errors
    /// [`UpfError`] for another number of them, or what is no number.
    pub fn values(&self, count: usize) -> Result<Vec<f64>, UpfError> {
        let mut values = Vec::with_capacity(count.min(self.body.len()));
        for word in self.body.split_whitespace() {
            if values.len() == count {
                return Err(self.error(format!("more than the {count} numbers expected")));
            }
            values.push(parse_number(word).ok_or_else(|| {
                self.error(format!(
                    "number {} is '{}', expected a finite number",
                    values.len() + 1,
                    shorten(word)
                ))
            })?);
        }
        if values.len() < count {
            return Err(self.error(format!("{} numbers, expected {count}", values.len())));
        }
        Ok(values)
    }
}

/// A number of at most 1e30, also in Fortran's spellings `1.0D+00` and `1.0-100`.
pub fn parse_number(text: &str) -> Option<f64> {
    let finite = |text: &str| {
        let value = text.parse::<f64>().ok();
        value.filter(|value| value.abs() <= LARGEST_NUMBER)
    };
    if let Some(value) = finite(text) {
        return Some(value);
    }
    let replaced = text.replace(['D', 'd'], "E");
    if let Some(value) = finite(&replaced) {
        return Some(value);
    }
    let sign = replaced.rfind(['+', '-']).filter(|&at| at > 0)?;
    let (mantissa, exponent) = replaced.split_at(sign);
    finite(&format!("{mantissa}E{exponent}"))
}

/// A whole number up to `limit`, also if it is written as a real.
pub fn parse_integer(text: &str, limit: usize) -> Option<usize> {
    let value = parse_number(text)?;
    (value >= 0.0 && value.fract() == 0.0 && value <= limit as f64).then_some(value as usize)
}

/// A logical value as Fortran writes it: `T`, `.T.`, `true`, `.TRUE.` and those of false, in either
/// case.
pub fn parse_flag(text: &str) -> Option<bool> {
    let word = text.trim().to_ascii_lowercase();
    let word = word.strip_prefix('.').unwrap_or(&word);
    match word.strip_suffix('.').unwrap_or(word) {
        "t" | "true" => Some(true),
        "f" | "false" => Some(false),
        _ => None,
    }
}

/// A piece of a file short enough for a message, without what would move the cursor.
pub fn shorten(text: &str) -> String {
    let text = text.trim().chars();
    text.map(|c| if c.is_control() { ' ' } else { c })
        .take(30)
        .collect()
}
