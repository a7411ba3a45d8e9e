//! A reader of zip archives in memory, bounded in everything that the archive says of itself.

use std::{collections::BTreeMap, io::Read, ops::Range};

use flate2::{Crc, read::DeflateDecoder};

/// Most entries of an archive.
const MOST_ENTRIES: usize = 10_000;
/// Most bytes of an entry when unpacked.
const LARGEST_ENTRY_BYTES: usize = 64 << 20;

const END_OF_DIRECTORY: &[u8; 4] = b"PK\x05\x06";
const DIRECTORY_ENTRY: &[u8; 4] = b"PK\x01\x02";
const LOCAL_HEADER: &[u8; 4] = b"PK\x03\x04";

/// The entries of an archive.
#[derive(Debug)]
pub(super) struct Zip<'a> {
    bytes: &'a [u8],
    entries: BTreeMap<String, Entry>,
}

/// What the directory says of an entry.
#[derive(Debug, Clone)]
struct Entry {
    method: Method,
    packed: Range<usize>,
    size: usize,
    crc: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Method {
    Stored,
    Deflated,
}

impl<'a> Zip<'a> {
    /// Reads the directory and finds every entry's data.
    ///
    /// # Errors
    /// What was found and what would be right.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, String> {
        // The comment at the very end has up to 65535 bytes.
        let from = bytes.len().saturating_sub(22 + 65_535);
        let end = (from..bytes.len())
            .rev()
            .find(|at| bytes[*at..].starts_with(END_OF_DIRECTORY) && bytes.len() - at >= 22)
            .ok_or("not a zip archive: it has no end of directory")?;
        let [disk, directory_disk] = [short(bytes, end + 4)?, short(bytes, end + 6)?];
        if disk != 0 || directory_disk != 0 {
            return Err("the archive is one of several disks, expected a whole one".into());
        }
        let count = short(bytes, end + 10)?;
        let start = long(bytes, end + 16)?;
        if count > MOST_ENTRIES || start == u32::MAX as usize {
            return Err(format!(
                "the archive has {count} entries or the 64-bit format, expected up to \
                 {MOST_ENTRIES} in the plain one"
            ));
        }
        let mut entries = BTreeMap::new();
        let mut at = start;
        for _ in 0..count {
            if slice(bytes, at..at + 4)? != DIRECTORY_ENTRY {
                return Err("the directory is damaged: an entry lacks its signature".into());
            }
            let lengths = [28, 30, 32].map(|offset| short(bytes, at + offset));
            let [name, extra, comment] = lengths;
            let (name, extra, comment) = (name?, extra?, comment?);
            let text = slice(bytes, at + 46..at + 46 + name)?;
            let text = str::from_utf8(text).map_err(|_| "the name of an entry is no UTF-8")?;
            let entry = Entry::read(bytes, at, text)?;
            if entries.insert(text.to_owned(), entry).is_some() {
                return Err(format!("two entries are named {text:?}"));
            }
            at += 46 + name + extra + comment;
        }
        Ok(Self { bytes, entries })
    }

    /// Names of all entries.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The content of an entry.
    ///
    /// # Errors
    /// What was found and what would be right.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let entry = self
            .entries
            .get(name)
            .ok_or_else(|| format!("there is no entry {name:?}"))?;
        let packed = slice(self.bytes, entry.packed.clone())?;
        let content = match entry.method {
            Method::Stored => packed.to_vec(),
            Method::Deflated => {
                let mut content = Vec::new();
                DeflateDecoder::new(packed)
                    .take(entry.size as u64 + 1)
                    .read_to_end(&mut content)
                    .map_err(|error| format!("the entry {name:?} does not unpack: {error}"))?;
                content
            }
        };
        if content.len() != entry.size {
            return Err(format!(
                "the entry {name:?} has not the {} bytes that the directory says",
                entry.size
            ));
        }
        let mut crc = Crc::new();
        crc.update(&content);
        if crc.sum() != entry.crc {
            return Err(format!(
                "the entry {name:?} is damaged: its CRC-32 is wrong"
            ));
        }
        Ok(content)
    }
}

impl Entry {
    /// The entry whose part of the directory begins at `at`.
    fn read(bytes: &[u8], at: usize, name: &str) -> Result<Self, String> {
        let flags = short(bytes, at + 8)?;
        if flags & 1 != 0 {
            return Err(format!("the entry {name:?} is encrypted"));
        }
        let method = match short(bytes, at + 10)? {
            0 => Method::Stored,
            8 => Method::Deflated,
            other => {
                return Err(format!(
                    "the entry {name:?} is packed by method {other}, expected 0 or 8"
                ));
            }
        };
        let crc = long(bytes, at + 16)? as u32;
        let packed = long(bytes, at + 20)?;
        let size = long(bytes, at + 24)?;
        if size > LARGEST_ENTRY_BYTES {
            return Err(format!(
                "the entry {name:?} has {size} bytes, expected up to {LARGEST_ENTRY_BYTES}"
            ));
        }
        let local = long(bytes, at + 42)?;
        if slice(bytes, local..local + 4)? != LOCAL_HEADER {
            return Err(format!(
                "the entry {name:?} does not begin where the directory says"
            ));
        }
        let start = local + 30 + short(bytes, local + 26)? + short(bytes, local + 28)?;
        slice(bytes, start..start + packed)?;
        Ok(Self {
            method,
            packed: start..start + packed,
            size,
            crc,
        })
    }
}

fn slice(bytes: &[u8], range: Range<usize>) -> Result<&[u8], String> {
    bytes
        .get(range)
        .ok_or_else(|| "the archive ends too early".to_owned())
}

fn short(bytes: &[u8], at: usize) -> Result<usize, String> {
    let bytes = slice(bytes, at..at + 2)?;
    Ok(usize::from(bytes[0]) | usize::from(bytes[1]) << 8)
}

fn long(bytes: &[u8], at: usize) -> Result<usize, String> {
    Ok(short(bytes, at)? | short(bytes, at + 2)? << 16)
}
