//! Reading a result file of somebody else: with bounds on what it may take.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    marker::PhantomData,
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Deserializer, de};

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
/// Most members of a list or table that is no list of rows.
const MOST_MEMBERS: usize = 256;

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

/// A list of texts that is not one of rows.
pub(super) fn few_texts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    struct Visitor;
    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Vec<String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "a list of at most {MOST_MEMBERS} texts")
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                if texts.len() == MOST_MEMBERS {
                    return Err(de::Error::invalid_length(MOST_MEMBERS + 1, &self));
                }
                texts.push(text);
            }
            Ok(texts)
        }
    }
    deserializer.deserialize_seq(Visitor)
}

/// A table that is not one of rows.
pub(super) fn few_members<'de, D, V, M>(deserializer: D) -> Result<M, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
    M: FromIterator<(String, V)>,
{
    struct Visitor<V>(PhantomData<V>);
    impl<'de, V: Deserialize<'de>> de::Visitor<'de> for Visitor<V> {
        type Value = Vec<(String, V)>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "a table of at most {MOST_MEMBERS} members")
        }

        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                if members.len() == MOST_MEMBERS {
                    return Err(de::Error::invalid_length(MOST_MEMBERS + 1, &self));
                }
                members.push(member);
            }
            Ok(members)
        }
    }
    let members = deserializer.deserialize_map(Visitor(PhantomData))?;
    Ok(members.into_iter().collect())
}
