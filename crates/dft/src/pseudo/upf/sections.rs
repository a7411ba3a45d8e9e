//! Finding sections, their attributes and their numbers.

use crate::pseudo::error::SectionError;

/// `<NAME attributes>body</NAME>`; an empty body for `<NAME attributes/>`.
#[derive(Debug)]
pub(super) struct Section<'a> {
    pub(super) name: String,
    pub(super) attributes: Vec<(&'a str, &'a str)>,
    pub(super) body: &'a str,
    /// What follows the section.
    pub(super) rest: &'a str,
}

/// The first section of this name in `text`.
pub(super) fn find<'a>(text: &'a str, name: &str) -> Result<Option<Section<'a>>, SectionError> {
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
pub(super) fn require<'a>(text: &'a str, name: &str) -> Result<Section<'a>, SectionError> {
    find(text, name)?.ok_or_else(|| SectionError::new(name, "not found"))
}

fn section<'a>(after_name: &'a str, name: &str) -> Result<Section<'a>, SectionError> {
    let cut = |what: &str| SectionError::new(name, format!("{what}: is the file cut off?"));
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
    pub(super) fn error(&self, message: impl Into<String>) -> SectionError {
        SectionError::new(&self.name, message)
    }

    /// The value of an attribute, if it is there.
    pub(super) fn attribute(&self, key: &str) -> Option<&'a str> {
        self.attributes
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| *value)
    }

    /// The value of an attribute.
    pub(super) fn required(&self, key: &str) -> Result<&'a str, SectionError> {
        self.attribute(key)
            .ok_or_else(|| self.error(format!("attribute '{key}' is missing")))
    }

    /// A number among the attributes.
    pub(super) fn number(&self, key: &str) -> Result<f64, SectionError> {
        let text = self.required(key)?;
        parse_number(text)
            .ok_or_else(|| self.error(format!("'{key}' is '{text}', expected a finite number")))
    }

    /// A count or index among the attributes, at most `limit`.
    pub(super) fn integer(&self, key: &str, limit: usize) -> Result<usize, SectionError> {
        let text = self.required(key)?;
        parse_integer(text, limit).ok_or_else(|| {
            self.error(format!(
                "'{key}' is '{text}', expected a whole number up to {limit}"
            ))
        })
    }

    /// A logical value, false if absent.
    pub(super) fn flag(&self, key: &str) -> Result<bool, SectionError> {
        match self
            .attribute(key)
            .map(|text| text.trim_matches('.').to_lowercase())
        {
            None => Ok(false),
            Some(text) if text == "t" || text == "true" => Ok(true),
            Some(text) if text == "f" || text == "false" => Ok(false),
            Some(text) => Err(self.error(format!("'{key}' is '{text}', expected T or F"))),
        }
    }

    /// Exactly `count` numbers in the body.
    pub(super) fn values(&self, count: usize) -> Result<Vec<f64>, SectionError> {
        let mut values = Vec::with_capacity(count.min(1 << 20));
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

/// A finite number, also in Fortran's spellings `1.0D+00` and `1.0-100`.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    let finite = |text: &str| text.parse::<f64>().ok().filter(|v| v.is_finite());
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
pub(super) fn parse_integer(text: &str, limit: usize) -> Option<usize> {
    let value = parse_number(text)?;
    (value >= 0.0 && value.fract() == 0.0 && value <= limit as f64).then_some(value as usize)
}

/// A piece of a file short enough for a message.
pub(super) fn shorten(text: &str) -> String {
    text.trim().chars().take(30).collect()
}
