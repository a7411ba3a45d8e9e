use std::path::Path;

use crystalgym_crystal::Element;

use crate::PseudopotentialError;

/// What the header of a UPF file says about the pseudopotential as a whole.
///
/// Both layouts are read: the free text of version 1 (one quantity a line, the label after it) and
/// the attributes of version 2. The tables that follow the header are not looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct UpfHeader {
    /// Layout of the file.
    pub version: UpfVersion,
    /// The element.
    pub element: Element,
    /// Number of valence electrons.
    pub z_valence: f64,
    /// `NC`, `US`, `USPP`, `PAW`, … as written in the file.
    pub pseudo_type: String,
}

/// The two layouts of UPF headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpfVersion {
    /// Free text inside `<PP_HEADER>…</PP_HEADER>`.
    V1,
    /// XML attributes of `<PP_HEADER …/>`.
    V2,
}

impl UpfHeader {
    /// Reads the header from the content of a UPF file; `path` is for messages.
    ///
    /// # Errors
    /// [`PseudopotentialError::NotUpf`].
    pub fn parse(content: &[u8], path: &Path) -> Result<Self, PseudopotentialError> {
        parse_header(content).map_err(|message| PseudopotentialError::NotUpf {
            path: path.to_owned(),
            message,
        })
    }
}

fn parse_header(content: &[u8]) -> Result<UpfHeader, String> {
    const TAG: &[u8] = b"<PP_HEADER";
    // A whole header fits in far less: a file without one need not be read as text to its end.
    const LONGEST_HEADER: usize = 1 << 16;
    let start = content
        .windows(TAG.len())
        .position(|window| window == TAG)
        .ok_or("no <PP_HEADER> found")?
        + TAG.len();
    let end = content.len().min(start + LONGEST_HEADER);
    let text = String::from_utf8_lossy(&content[start..end]);
    match text.trim_start().strip_prefix('>') {
        Some(body) => parse_version_1(body),
        None => parse_version_2(&text),
    }
}

/// Version 1 is positional: version, element, type, core correction, functional, Z valence.
fn parse_version_1(body: &str) -> Result<UpfHeader, String> {
    let body = body
        .split_once("</PP_HEADER>")
        .ok_or("<PP_HEADER> is not closed")?
        .0;
    let mut lines = body.lines().filter(|line| !line.trim().is_empty());
    let mut first_word = |line: &str| -> Result<String, String> {
        lines
            .next()
            .and_then(|text| text.split_whitespace().next())
            .map(str::to_owned)
            .ok_or_else(|| format!("the header ends before the line '{line}'"))
    };
    first_word("Version Number")?;
    let element = first_word("Element")?;
    let pseudo_type = first_word("pseudopotential type")?;
    first_word("Nonlinear Core Correction")?;
    first_word("Exchange-Correlation functional")?;
    let z_valence = first_word("Z valence")?;
    header(UpfVersion::V1, &element, &z_valence, pseudo_type)
}

fn parse_version_2(text: &str) -> Result<UpfHeader, String> {
    let attributes = attributes(text)?;
    let get = |name: &str| {
        attributes
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.trim())
            .ok_or_else(|| format!("<PP_HEADER> has no attribute '{name}'"))
    };
    header(
        UpfVersion::V2,
        get("element")?,
        get("z_valence")?,
        get("pseudo_type")?.to_owned(),
    )
}

/// The attributes of a tag whose name has been read; either kind of quotes, the other one may
/// occur inside.
fn attributes(mut text: &str) -> Result<Vec<(&str, &str)>, String> {
    let mut found = Vec::new();
    loop {
        text = text.trim_start();
        if text.starts_with('>') || text.starts_with("/>") {
            return Ok(found);
        }
        let (key, rest) = text
            .split_once('=')
            .ok_or("<PP_HEADER is not closed by '>'")?;
        let rest = rest.trim_start();
        let quote = rest
            .chars()
            .next()
            .filter(|mark| matches!(mark, '"' | '\''))
            .ok_or_else(|| format!("attribute '{}' has no quoted value", key.trim()))?;
        let (value, rest) = rest[1..]
            .split_once(quote)
            .ok_or_else(|| format!("the value of attribute '{}' is not closed", key.trim()))?;
        found.push((key.trim(), value));
        text = rest;
    }
}

fn header(
    version: UpfVersion,
    element: &str,
    z_valence: &str,
    pseudo_type: String,
) -> Result<UpfHeader, String> {
    let element = element
        .trim()
        .parse()
        .map_err(|error| format!("in the header: {error}"))?;
    // Fortran writes exponents with D or E.
    let number: f64 = z_valence
        .trim()
        .replace(['D', 'd'], "E")
        .parse()
        .map_err(|_| format!("Z valence is '{z_valence}', expected a number"))?;
    if !(number.is_finite() && number > 0.0) {
        return Err(format!("Z valence is {number}, expected a positive number"));
    }
    Ok(UpfHeader {
        version,
        element,
        z_valence: number,
        pseudo_type,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V1: &str =
        "<PP_INFO>\ntext\n</PP_INFO>\n\n<PP_HEADER>\n   0                   Version Number
  Cl                   Element\n   US                  Ultrasoft pseudopotential
    T                  Nonlinear Core Correction\n SLA  PW   PBX  PBC    PBE  Exchange-Correlation
    7.00000000000      Z valence\n  -33.15821320120      Total energy\n</PP_HEADER>\n";
    const V2: &str = "<UPF version=\"2.0.1\">\n<PP_HEADER generated='by \"atomic\" code, a=b > c'
        element=\" H\" pseudo_type=\"USPP\"\n z_valence=\"1.000000000000000D+000\"/>";

    #[test]
    fn reads_free_text_and_attributes() {
        let v1 = parse_header(V1.as_bytes()).unwrap();
        assert_eq!((v1.element.symbol(), v1.z_valence), ("Cl", 7.0));
        assert_eq!(
            (v1.version, v1.pseudo_type.as_str()),
            (UpfVersion::V1, "US")
        );
        let v2 = parse_header(V2.as_bytes()).unwrap();
        assert_eq!((v2.element.symbol(), v2.z_valence), ("H", 1.0));
        assert_eq!(
            (v2.version, v2.pseudo_type.as_str()),
            (UpfVersion::V2, "USPP")
        );
    }

    #[test]
    fn errors_say_what_is_missing() {
        let error = |text: &str| parse_header(text.as_bytes()).unwrap_err();
        assert!(error("").contains("no <PP_HEADER>"));
        assert!(error(&V1.replace("</PP_HEADER>", "")).contains("not closed"));
        assert!(error(&V1.replace("Cl ", "Qq ")).contains("'Qq'"));
        assert!(error(&V1.replace("7.0", "x7.0")).contains("'x7.0"));
        assert!(error(&V2.replace("z_valence", "zv")).contains("z_valence"));
        assert!(error(&V2.replace("/>", "")).contains("not closed"));
        assert!(error(&V2.replace("1.000000000000000D+000", "-1")).contains("-1"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_header(&tail);
            let _ = parse_header(&[b"<PP_HEADER", tail.as_slice()].concat());
            let _ = parse_header(&[b"<PP_HEADER>", tail.as_slice()].concat());
        }
    }
}
