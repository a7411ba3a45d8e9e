//! The unpacking of an archive that nobody has to trust.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

use crystalgym_crystal::{Element, open_regular};
use flate2::read::GzDecoder;
use md5::{Digest, Md5};
use tar::EntryType;

use super::limits::{ArchiveLimits, too_large};
use crate::{
    Manifest, PseudopotentialError,
    checksum::{hex, md5_hex},
    file_names::{is_plain_file_name, is_upf_name},
};

/// Names and times of one entry take less.
const LONGEST_EXTENSION_BYTES: u64 = 64 << 10;

/// What came out of an archive.
pub(super) struct Unpacked {
    /// MD5 sum of the compressed archive.
    pub(super) archive_md5: String,
    /// Elements whose file was found with the manifest's MD5 sum.
    pub(super) verified: BTreeSet<Element>,
    /// Files that the manifest does not list.
    pub(super) further: Vec<FurtherFile>,
}

/// A file that the manifest does not list.
pub(super) struct FurtherFile {
    pub(super) file: String,
    pub(super) md5: String,
}

/// Unpacks a `.tar.gz` into the empty folder `target`.
///
/// Only the last component of an entry's path is used, and an entry that is anything but a plain
/// file or folder, or whose path is absolute or has `..` in it, ends the whole installation: a
/// family has no use for such entries, so their archive deserves no trust.
pub(super) fn unpack(
    archive: &Path,
    archive_name: &str,
    manifest: &Manifest,
    limits: &ArchiveLimits,
    target: &Path,
) -> Result<Unpacked, PseudopotentialError> {
    let refuse = |message: String| PseudopotentialError::Archive {
        archive: archive_name.to_owned(),
        message,
    };
    let damaged = |error: io::Error| refuse(format!("damaged or not a .tar.gz file: {error}"));
    let file = open_regular(archive).map_err(PseudopotentialError::io(archive))?;
    let mut hashing = Md5Reader {
        inner: io::BufReader::new(file),
        md5: Md5::new(),
    };
    let mut verified = BTreeSet::new();
    let mut further: Vec<FurtherFile> = Vec::new();
    {
        // A decompression bomb hits this limit, whatever its headers claim.
        let limited = CountedReader {
            inner: GzDecoder::new(&mut hashing),
            left: limits.total_bytes,
        };
        let mut tar = tar::Archive::new(limited);
        // Raw: long names come as entries of their own, whose size would otherwise be anybody's.
        let mut long_path: Option<PathBuf> = None;
        let entries = tar.entries().map_err(damaged)?.raw(true);
        for (index, entry) in entries.enumerate() {
            if index >= limits.entries {
                return Err(refuse(format!("more than {} entries", limits.entries)));
            }
            let mut entry = entry.map_err(damaged)?;
            let kind = entry.header().entry_type();
            if matches!(kind, EntryType::GNULongName | EntryType::XHeader) {
                let size = entry.size();
                if size > LONGEST_EXTENSION_BYTES {
                    let message = too_large(size, LONGEST_EXTENSION_BYTES);
                    return Err(refuse(format!("the name of an entry: {message}")));
                }
                let mut content = Vec::new();
                entry.read_to_end(&mut content).map_err(damaged)?;
                long_path = long_name(kind, &content).or(long_path);
                continue;
            }
            let path = match long_path.take() {
                Some(path) => path,
                None => entry.path().map_err(damaged)?.into_owned(),
            };
            let shown = path.display();
            match kind {
                EntryType::Regular => {}
                EntryType::Directory | EntryType::XGlobalHeader | EntryType::GNULongLink => {
                    continue;
                }
                other => {
                    return Err(refuse(format!(
                        "entry '{shown}' is {other:?}, expected only plain files"
                    )));
                }
            }
            let escapes = path
                .components()
                .any(|part| !matches!(part, Component::Normal(_) | Component::CurDir));
            let name = path.file_name().and_then(|name| name.to_str());
            let Some(name) = name.filter(|name| !escapes && is_plain_file_name(name)) else {
                return Err(refuse(format!(
                    "entry '{shown}' would leave the folder, expected a relative path"
                )));
            };
            if entry.size() > limits.file_bytes {
                let message = too_large(entry.size(), limits.file_bytes);
                return Err(refuse(format!("entry '{shown}': {message}")));
            }
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(damaged)?;
            let md5 = md5_hex(&content);

            let listed = manifest.elements.iter().find(|(_, e)| e.md5 == md5);
            if let Some((element, listed)) = listed {
                if verified.insert(*element) {
                    write_synced(&target.join(&listed.file), &content)?;
                }
            } else if let Some((element, listed)) =
                manifest.elements.iter().find(|(_, e)| e.file == name)
            {
                return Err(PseudopotentialError::WrongChecksum {
                    element: *element,
                    path: Path::new(archive_name).join(name),
                    found: md5,
                    expected: listed.md5.clone(),
                });
            } else if is_upf_name(Path::new(name)) || name.eq_ignore_ascii_case("LICENSE.txt") {
                write_synced(&target.join(name), &content)?;
                further.push(FurtherFile {
                    file: name.to_owned(),
                    md5,
                });
            }
        }
        // To the end of the gzip stream, so that its own checksum is verified too.
        io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(damaged)?;
    }
    io::copy(&mut hashing, &mut io::sink()).map_err(damaged)?;
    Ok(Unpacked {
        archive_md5: hex(&hashing.md5.finalize()),
        verified,
        further,
    })
}

/// The path that an extension gives to the entry after it.
fn long_name(kind: EntryType, content: &[u8]) -> Option<PathBuf> {
    let path = match kind {
        EntryType::GNULongName => content.split(|&byte| byte == 0).next()?,
        _ => tar::PaxExtensions::new(content)
            .filter_map(Result::ok)
            .find(|extension| extension.key_bytes() == b"path")?
            .value_bytes(),
    };
    std::str::from_utf8(path).ok().map(PathBuf::from)
}

/// Writes a new file and waits until the disk has it.
pub(super) fn write_synced(path: &Path, content: &[u8]) -> Result<(), PseudopotentialError> {
    let write = || {
        let mut file = File::create_new(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(PseudopotentialError::io(path))
}

/// Computes the MD5 sum of what passes through.
struct Md5Reader<R> {
    inner: R,
    md5: Md5,
}

impl<R: Read> Read for Md5Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.md5.update(&buffer[..count]);
        Ok(count)
    }
}

/// Fails once more than `left` bytes have passed.
struct CountedReader<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for CountedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::other("it unpacks to more than the limit"))?;
        Ok(count)
    }
}
