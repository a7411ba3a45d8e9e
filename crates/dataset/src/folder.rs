//! The folder of a data set, and how it is written without harm to what lies there.

use std::{
    fs::{self, File, Permissions},
    io::{self, BufWriter, Write},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use crystalgym_crystal::{EnclosedFolder, EntryKind};
use crystalgym_evaluation::{ExportFormat, StoredResult};
use sha2::{Digest, Sha256};

use crate::{
    DatasetDescription, DatasetError,
    card::{MADE_BY, card},
    file_names::{CARD, CHECKSUMS, STRUCTURES, TABLE},
    write_parquet,
};

/// Writes results into a folder as a data set:
///
/// ```text
/// results.parquet     all results, failures included
/// structures.extxyz   one frame a success, with its value and energy
/// README.md           the data card: what, how, counts, columns, licence, citation, checksums
/// SHA256SUMS          of the three, for `sha256sum -c`
/// ```
///
/// Each file is replaced in one step, the checksums last.
///
/// # Errors
/// [`DatasetError`]; without any result nothing is written, and nothing over files that are no data
/// set of ours.
pub fn write_dataset(
    results: &[StoredResult],
    description: &DatasetDescription,
    folder: &Path,
) -> Result<(), DatasetError> {
    if results.is_empty() {
        return Err(DatasetError::Empty);
    }
    fs::create_dir_all(folder).map_err(DatasetError::io(folder))?;
    claim(folder)?;
    let mut sums = Vec::new();
    let table = write_file(folder, TABLE, |out| write_parquet(results, out))?;
    sums.push((TABLE, table));
    let structures = write_file(folder, STRUCTURES, |mut out| {
        StoredResult::write_all(results, ExportFormat::ExtXyz, &mut out).map_err(|error| {
            DatasetError::io(folder.join(STRUCTURES))(io::Error::other(error.to_string()))
        })
    })?;
    sums.push((STRUCTURES, structures));
    let text = card(results, description, &sums);
    let path = folder.join(CARD);
    let inside = EnclosedFolder::at(folder);
    inside
        .write(CARD, text.as_bytes())
        .map_err(DatasetError::io(path))?;
    sums.push((CARD, hex(&Sha256::digest(&text))));
    let text: String = sums
        .iter()
        .map(|(name, sum)| format!("{sum}  {name}\n"))
        .collect();
    let path = folder.join(CHECKSUMS);
    inside
        .write(CHECKSUMS, text.as_bytes())
        .map_err(DatasetError::io(path))
}

/// Most bytes of a data card.
const MOST_BYTES_OF_A_CARD: u64 = 16 << 20;

/// Makes the folder one of ours, or refuses it: a file under a name of ours that lies there without
/// our card may be a person's own. The card comes first, in a form that says so, so that a writing
/// that was interrupted can be repeated.
fn claim(folder: &Path) -> Result<(), DatasetError> {
    let card = folder.join(CARD);
    let inside = EnclosedFolder::at(folder);
    match inside.read_text(CARD, MOST_BYTES_OF_A_CARD) {
        Ok(text) if text.contains(MADE_BY) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error)
            if ![io::ErrorKind::InvalidData, io::ErrorKind::InvalidInput]
                .contains(&error.kind()) =>
        {
            return Err(DatasetError::io(card)(error));
        }
        _ => return Err(DatasetError::NotOurs { path: card }),
    }
    for name in [TABLE, STRUCTURES, CHECKSUMS] {
        let path = folder.join(name);
        if inside.kind(name).map_err(DatasetError::io(&path))? != EntryKind::Missing {
            return Err(DatasetError::NotOurs { path });
        }
    }
    let text = format!("A data set that is being written, {MADE_BY}.\n");
    inside
        .write(CARD, text.as_bytes())
        .map_err(DatasetError::io(card))
}

/// Writes a file whole or not at all, and returns its SHA-256.
fn write_file(
    folder: &Path,
    name: &str,
    write: impl FnOnce(&mut Summing<BufWriter<&mut File>>) -> Result<(), DatasetError>,
) -> Result<String, DatasetError> {
    let path = folder.join(name);
    let mut temporary = tempfile::Builder::new()
        .prefix(".writing-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(DatasetError::io(&path))?;
    let sum = {
        let mut out = Summing {
            sum: Sha256::new(),
            inner: BufWriter::new(temporary.as_file_mut()),
        };
        write(&mut out)?;
        out.flush().map_err(DatasetError::io(&path))?;
        hex(&out.sum.finalize())
    };
    temporary
        .as_file()
        .sync_all()
        .map_err(DatasetError::io(&path))?;
    temporary
        .persist(&path)
        .map_err(|error| DatasetError::io(&path)(error.error))?;
    Ok(sum)
}

/// Adds up what is written.
struct Summing<W> {
    sum: Sha256,
    inner: W,
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
