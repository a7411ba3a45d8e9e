//! The text of UPF files, versions 1 and 2: sections, attributes, numbers, and the header.
//!
//! Both layouts are read by hand: version 1 is no XML at all, and many files of version 2 are not
//! well formed (free text with `<` and `&` in their comments).

mod header;
mod lines;
mod section;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, fs::File, io, io::Read, path::Path};

pub use header::{UpfHeader, UpfVersion};
pub use lines::Lines;
pub use section::{Section, find, parse_flag, parse_integer, parse_number, require, shorten};

/// No pseudopotential is larger; the largest published ones have 10 MB.
const LARGEST_FILE_BYTES: u64 = 128 << 20;

/// A fault inside one section of a UPF file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("section <{section}>: {message}")]
pub struct UpfError {
    /// The section, such as `PP_LOCAL`.
    pub section: String,
    /// What was found and what would be right.
    pub message: String,
    /// Whether the file is well formed but asks for what is not there.
    pub is_unsupported: bool,
}

impl UpfError {
    /// A malformed section.
    pub fn new(section: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            section: section.into(),
            message: message.into(),
            is_unsupported: false,
        }
    }

    /// A section that asks for what is not there.
    pub fn unsupported(section: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            is_unsupported: true,
            ..Self::new(section, message)
        }
    }
}

/// The bytes of a UPF file.
///
/// # Errors
/// What the system says; also for anything but a regular file, and for one of more than 128 MiB.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let refuse = |message: String| Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    // Asked before opening, which waits at a pipe.
    if !std::fs::metadata(path)?.is_file() {
        return refuse("not a regular file".to_owned());
    }
    let mut content = Vec::new();
    let file = File::open(path)?;
    file.take(LARGEST_FILE_BYTES + 1)
        .read_to_end(&mut content)?;
    if content.len() as u64 > LARGEST_FILE_BYTES {
        return refuse(format!(
            "more than {} MiB, expected a pseudopotential",
            LARGEST_FILE_BYTES >> 20
        ));
    }
    Ok(content)
}

/// What follows the section `PP_INFO`, without XML comments; bytes that are no UTF-8, which occur in
/// authors' names, are replaced.
///
/// # Errors
/// [`UpfError`] for a comment without an end.
pub fn text_of(content: &[u8]) -> Result<Cow<'_, str>, UpfError> {
    const END_OF_INFO: &[u8] = b"</PP_INFO>";
    // The information may hold anything, an input file with tags of its own included.
    let start = content
        .windows(END_OF_INFO.len())
        .position(|window| window == END_OF_INFO)
        .map_or(0, |at| at + END_OF_INFO.len());
    let text = String::from_utf8_lossy(&content[start..]);
    if !text.contains("<!--") {
        return Ok(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some((before, comment)) = rest.split_once("<!--") {
        kept.push_str(before);
        rest = comment
            .split_once("-->")
            .ok_or_else(|| UpfError::new("UPF", "a comment '<!--' has no end '-->'"))?
            .1;
    }
    kept.push_str(rest);
    Ok(Cow::Owned(kept))
}
