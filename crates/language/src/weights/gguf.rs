//! GGUF files: metadata, and tensors read one at a time.
//!
//! Layout (the GGUF document, version 2 and 3): magic, version, counts of tensors and metadata, the
//! metadata as typed key-value pairs, the table of tensors, then their data, aligned.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    blocks::BlockFormat,
    matrix::{Matrix, Storage},
};
use crate::LanguageError;

/// Longest string of a file, more than any chat template.
const MOST_STRING_BYTES: u64 = 1 << 24;
/// Most entries of an array, tensors or keys.
const MOST_ENTRIES: u64 = 1 << 24;
/// Bytes to a multiple of which the data of a tensor are moved at most.
const MOST_ALIGNMENT: u64 = 1 << 16;

/// A value of the metadata.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataValue {
    /// Any whole number.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// Text.
    Text(String),
    /// A list of texts.
    Texts(Vec<String>),
    /// A list of numbers.
    Numbers(Vec<f64>),
}

#[derive(Debug, Clone)]
struct TensorPlace {
    /// Fastest index first, as the file has it.
    dimensions: Vec<u64>,
    kind: u32,
    offset: u64,
}

/// An open GGUF file.
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    file: File,
    length: u64,
    metadata: BTreeMap<String, MetadataValue>,
    tensors: BTreeMap<String, TensorPlace>,
    data_start: u64,
}

impl GgufFile {
    /// Opens a file and reads what precedes its data.
    ///
    /// # Errors
    /// [`LanguageError::Io`] or [`LanguageError::File`], which says what is wrong with it.
    pub fn open(path: &Path) -> Result<Self, LanguageError> {
        let io = |source| LanguageError::io(path, source);
        let file = crystalgym_crystal::open_regular(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut reader = Reader {
            path,
            file: BufReader::new(file),
        };
        if reader.bytes::<4>()? != *b"GGUF" {
            return Err(LanguageError::file(path, "it does not begin with GGUF"));
        }
        let version = reader.u32()?;
        if !(2..=3).contains(&version) {
            let message = format!("GGUF version is {version}, expected 2 or 3");
            return Err(LanguageError::file(path, message));
        }
        let (tensor_count, key_count) = (reader.count()?, reader.count()?);
        let mut metadata = BTreeMap::new();
        for _ in 0..key_count {
            let key = reader.string()?;
            let kind = reader.u32()?;
            let value = reader.value(kind)?;
            metadata.insert(key, value);
        }
        let mut tensors = BTreeMap::new();
        for _ in 0..tensor_count {
            let name = reader.string()?;
            let dimensions = reader.u32()?;
            if dimensions > 4 {
                let message = format!("tensor '{name}' has {dimensions} dimensions");
                return Err(LanguageError::file(path, message));
            }
            let dimensions = (0..dimensions)
                .map(|_| reader.u64())
                .collect::<Result<_, _>>()?;
            let place = TensorPlace {
                dimensions,
                kind: reader.u32()?,
                offset: reader.u64()?,
            };
            tensors.insert(name, place);
        }
        let alignment = match metadata.get("general.alignment") {
            Some(MetadataValue::Integer(bytes)) => u64::try_from(*bytes).unwrap_or(0),
            _ => 32,
        };
        if !alignment.is_power_of_two() || alignment > MOST_ALIGNMENT {
            let message = format!(
                "'general.alignment' is {alignment}, expected a power of two of at most {MOST_ALIGNMENT}"
            );
            return Err(LanguageError::file(path, message));
        }
        let end = reader.file.stream_position().map_err(io)?;
        Ok(Self {
            path: path.to_owned(),
            file: reader.file.into_inner(),
            length,
            metadata,
            tensors,
            data_start: end.next_multiple_of(alignment),
        })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A value of the metadata.
    pub fn metadata(&self, key: &str) -> Option<&MetadataValue> {
        self.metadata.get(key)
    }

    /// A number of the metadata.
    pub fn number(&self, key: &str) -> Option<f64> {
        match self.metadata(key)? {
            MetadataValue::Integer(value) => Some(*value as f64),
            MetadataValue::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// A text of the metadata.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.metadata(key)? {
            MetadataValue::Text(value) => Some(value),
            _ => None,
        }
    }

    /// A list of texts of the metadata.
    pub fn texts(&self, key: &str) -> Option<&[String]> {
        match self.metadata(key)? {
            MetadataValue::Texts(values) => Some(values),
            _ => None,
        }
    }

    /// A list of numbers of the metadata.
    pub fn numbers(&self, key: &str) -> Option<&[f64]> {
        match self.metadata(key)? {
            MetadataValue::Numbers(values) => Some(values),
            _ => None,
        }
    }

    /// Whether there is such a tensor.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Rows and columns of a tensor, before it is read.
    pub(crate) fn shape(&self, name: &str) -> Option<(u64, u64)> {
        let dimensions = &self.tensors.get(name)?.dimensions;
        let columns = dimensions.first().copied().unwrap_or(1);
        let rows = dimensions.iter().skip(1);
        Some((
            rows.fold(1, |product, &n| product.saturating_mul(n)),
            columns,
        ))
    }

    /// A tensor as a matrix: the first dimension of the file is the columns, all others are rows.
    ///
    /// # Errors
    /// [`LanguageError::File`] if it is missing, cut off, or of a type that this crate cannot read.
    pub fn matrix(&mut self, name: &str) -> Result<Matrix, LanguageError> {
        let bad = |path: &Path, message: String| Err(LanguageError::file(path, message));
        let Some(place) = self.tensors.get(name).cloned() else {
            return bad(&self.path, format!("tensor '{name}' is missing"));
        };
        let columns = place.dimensions.first().copied().unwrap_or(1);
        let rows = place
            .dimensions
            .iter()
            .skip(1)
            .try_fold(1, |product: u64, &n| product.checked_mul(n));
        let Some(count) = rows
            .and_then(|rows| rows.checked_mul(columns))
            .filter(|n| *n < 1 << 40)
        else {
            return bad(
                &self.path,
                format!("tensor '{name}' has shape {:?}", place.dimensions),
            );
        };
        let (per, bytes) = match place.kind {
            0 => (1, 4),
            1 | 30 => (1, 2),
            kind => match block_format(kind) {
                Some(format) => (format.values() as u64, format.bytes() as u64),
                None => {
                    let message = format!(
                        "tensor '{name}' is of GGML type {kind}; F32, F16, BF16, Q8_0, Q4_0, Q4_1 and \
                         Q4_K can be read"
                    );
                    return bad(&self.path, message);
                }
            },
        };
        if columns % per != 0 {
            return bad(
                &self.path,
                format!("tensor '{name}' has rows of {columns}, which are no whole blocks"),
            );
        }
        let size = count / per * bytes;
        let start = self.data_start.saturating_add(place.offset);
        let end = start.saturating_add(size);
        if end > self.length {
            let message = format!(
                "it is cut off: tensor '{name}' ends at byte {end}, the file has {}",
                self.length
            );
            return bad(&self.path, message);
        }
        let mut data = vec![0; size as usize];
        self.file
            .seek(SeekFrom::Start(start))
            .and_then(|_| self.file.read_exact(&mut data))
            .map_err(|source| LanguageError::io(&self.path, source))?;
        let storage = match place.kind {
            0 => Storage::F32(f32s(&data)),
            1 => Storage::F16(u16s(&data)),
            30 => Storage::Bf16(u16s(&data)),
            kind => match block_format(kind) {
                Some(format) => Storage::Blocks(format, data),
                None => return bad(&self.path, format!("tensor '{name}'")),
            },
        };
        let rows = (count / columns.max(1)) as usize;
        Matrix::new(rows, columns as usize, storage)
            .ok_or_else(|| LanguageError::file(&self.path, format!("tensor '{name}' does not fit")))
    }
}

fn block_format(kind: u32) -> Option<BlockFormat> {
    match kind {
        2 => Some(BlockFormat::Q4_0),
        3 => Some(BlockFormat::Q4_1),
        8 => Some(BlockFormat::Q8_0),
        12 => Some(BlockFormat::Q4K),
        _ => None,
    }
}

/// Little-endian numbers of 32 bits.
pub(crate) fn f32s(bytes: &[u8]) -> Vec<f32> {
    let chunks = bytes.as_chunks::<4>().0.iter();
    chunks.map(|chunk| f32::from_le_bytes(*chunk)).collect()
}

/// Little-endian numbers of 16 bits.
pub(crate) fn u16s(bytes: &[u8]) -> Vec<u16> {
    let chunks = bytes.as_chunks::<2>().0.iter();
    chunks.map(|chunk| u16::from_le_bytes(*chunk)).collect()
}

struct Reader<'a> {
    path: &'a Path,
    file: BufReader<File>,
}

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], LanguageError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), LanguageError> {
        self.file
            .read_exact(bytes)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => {
                    LanguageError::file(self.path, "it is cut off before its data begin")
                }
                _ => LanguageError::io(self.path, error),
            })
    }

    fn u32(&mut self) -> Result<u32, LanguageError> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> Result<u64, LanguageError> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn count(&mut self) -> Result<u64, LanguageError> {
        let count = self.u64()?;
        if count > MOST_ENTRIES {
            let message = format!("a list has {count} entries, at most {MOST_ENTRIES} can be");
            return Err(LanguageError::file(self.path, message));
        }
        Ok(count)
    }

    fn string(&mut self) -> Result<String, LanguageError> {
        let length = self.u64()?;
        if length > MOST_STRING_BYTES {
            let message = format!("a text has {length} bytes");
            return Err(LanguageError::file(self.path, message));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| LanguageError::file(self.path, "a text is no UTF-8"))
    }

    /// A single number as an integer or a float.
    fn scalar(&mut self, kind: u32) -> Result<MetadataValue, LanguageError> {
        use MetadataValue::{Bool, Float, Integer};
        Ok(match kind {
            0 => Integer(u8::from_le_bytes(self.bytes()?).into()),
            1 => Integer(i8::from_le_bytes(self.bytes()?).into()),
            2 => Integer(u16::from_le_bytes(self.bytes()?).into()),
            3 => Integer(i16::from_le_bytes(self.bytes()?).into()),
            4 => Integer(self.u32()?.into()),
            5 => Integer(i32::from_le_bytes(self.bytes()?).into()),
            6 => Float(f32::from_le_bytes(self.bytes()?).into()),
            7 => Bool(self.bytes::<1>()?[0] != 0),
            10 => Integer(self.u64()?.into()),
            11 => Integer(i64::from_le_bytes(self.bytes()?).into()),
            12 => Float(f64::from_le_bytes(self.bytes()?)),
            _ => {
                let message = format!("metadata are of unknown type {kind}");
                return Err(LanguageError::file(self.path, message));
            }
        })
    }

    fn value(&mut self, kind: u32) -> Result<MetadataValue, LanguageError> {
        match kind {
            8 => Ok(MetadataValue::Text(self.string()?)),
            9 => {
                let inner = self.u32()?;
                let count = self.count()?;
                if inner == 8 {
                    let texts = (0..count).map(|_| self.string());
                    return Ok(MetadataValue::Texts(texts.collect::<Result<_, _>>()?));
                }
                let mut numbers = Vec::new();
                for _ in 0..count {
                    numbers.push(match self.scalar(inner)? {
                        MetadataValue::Integer(value) => value as f64,
                        MetadataValue::Float(value) => value,
                        MetadataValue::Bool(value) => f64::from(u8::from(value)),
                        _ => f64::NAN,
                    });
                }
                Ok(MetadataValue::Numbers(numbers))
            }
            kind => self.scalar(kind),
        }
    }
}
