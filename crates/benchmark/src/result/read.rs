//! Reading a result file of somebody else: with bounds on what it may take.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use super::{file::ResultFile, identity::content_sha256};
use crate::BenchmarkError;

/// Largest file that is read, unpacked: some ten times that of 100 runs of 5000 episodes.
const LARGEST_BYTES: u64 = 1 << 30;
/// A packed file may unpack to so many times its size: results take 10 to 20 times.
const LARGEST_RATIO: u64 = 60;
/// Small files may be of anything.
const SMALL_BYTES: u64 = 1 << 20;
/// Bytes of text that a value takes at least on the mean: a row has some 18, and what has less is
/// made to take much memory.
const LEAST_BYTES_OF_A_VALUE: u64 = 8;

/// A result file as it lies on disk, with its checksum.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedResult {
    /// Where it lies.
    pub path: PathBuf,
    /// SHA-256 of what the file says in hexadecimal digits: blanks, the order of members and packing
    /// make no difference.
    pub sha256: String,
    /// What it says.
    pub file: ResultFile,
}

impl ResultFile {
    /// Reads a result, `.json` or `.json.gz`.
    ///
    /// # Errors
    /// [`BenchmarkError::Folder`] with the field, its value and what would be right; also for what is
    /// no regular file, or would take more memory than a result can.
    pub fn read(path: &Path) -> Result<SealedResult, BenchmarkError> {
        let refused = |message: String| BenchmarkError::folder(path, message);
        let metadata = std::fs::metadata(path).map_err(BenchmarkError::io(path))?;
        if !metadata.is_file() {
            return Err(refused("is no regular file, expected a result".to_owned()));
        }
        if metadata.len() > LARGEST_BYTES {
            return Err(refused(format!(
                "has {} bytes, expected at most {LARGEST_BYTES}",
                metadata.len()
            )));
        }
        let file = File::open(path).map_err(BenchmarkError::io(path))?;
        let text = match is_gzip(path) {
            false => read_up_to(file, LARGEST_BYTES),
            true => {
                let most = (LARGEST_RATIO * metadata.len()).clamp(SMALL_BYTES, LARGEST_BYTES);
                read_up_to(MultiGzDecoder::new(io::BufReader::new(file)), most)
            }
        }
        .map_err(BenchmarkError::io(path))?;
        let values = text.iter().filter(|&&byte| byte == b',').count() as u64;
        if text.len() as u64 > SMALL_BYTES && values * LEAST_BYTES_OF_A_VALUE > text.len() as u64 {
            return Err(refused(format!(
                "not a result: {values} values in {} bytes, expected at most one in \
                 {LEAST_BYTES_OF_A_VALUE}",
                text.len()
            )));
        }
        // The format first: of another version nothing else can be expected to be as here.
        let format: FormatOnly = serde_json::from_slice(&text)
            .map_err(|error| refused(format!("not a result: {error}")))?;
        if format.format != Self::FORMAT {
            let message = format!("format is {:?}, expected {:?}", format.format, Self::FORMAT);
            return Err(refused(message));
        }
        let mut reader = serde_json::Deserializer::from_slice(&text);
        let file: Self = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let field = error.path().to_string();
            refused(format!("field {field}: {}", error.into_inner()))
        })?;
        reader
            .end()
            .map_err(|error| refused(format!("not a result: {error}")))?;
        Ok(SealedResult {
            path: path.to_owned(),
            sha256: content_sha256(&file),
            file,
        })
    }
}

#[derive(Deserialize)]
struct FormatOnly {
    format: String,
}

/// Whether a file is packed, by its name.
pub(super) fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

fn read_up_to(reader: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    reader.take(most + 1).read_to_end(&mut text)?;
    if text.len() as u64 > most {
        let message = format!("holds more than {most} bytes, which no result of its size does");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(text)
}
