//! What the pages of a parquet file say about themselves, looked at before anything is unpacked.
//!
//! A page has a header in Thrift's compact protocol: its size packed and unpacked, its number of
//! values and their encoding. A header that lies would let a file of some bytes take gigabytes.

use parquet::file::metadata::ParquetMetaData;

use crate::ColumnsError;

/// Encodings whose values are no longer than the page they stand in: plain, and by a dictionary
/// (`PLAIN`, `PLAIN_DICTIONARY`, `RLE`, `RLE_DICTIONARY`).
const ENCODINGS: [i64; 4] = [0, 2, 3, 8];
/// How deep structures may lie within each other.
const MOST_LEVELS: u8 = 8;
/// What a value in a list takes while it is read, in bytes.
const BYTES_OF_A_VALUE: u64 = 48;

/// Checks that all pages together unpack to no more than `budget` bytes.
///
/// # Errors
/// [`ColumnsError`] for pages outside of the file, encodings that are not read, and too much.
pub(crate) fn check_pages(
    data: &[u8],
    metadata: &ParquetMetaData,
    budget: u64,
) -> Result<(), ColumnsError> {
    let wrong = |what: &str| ColumnsError::Unexpected(format!("the file is damaged: {what}"));
    let mut unpacked: u64 = 0;
    for column in metadata.row_groups().iter().flat_map(|g| g.columns()) {
        let start = column
            .dictionary_page_offset()
            .unwrap_or(column.data_page_offset());
        let range = usize::try_from(start).ok().and_then(|start| {
            let length = usize::try_from(column.compressed_size()).ok()?;
            data.get(start..start.checked_add(length)?)
        });
        let mut pages = range.ok_or_else(|| wrong("pages outside of it"))?;
        while !pages.is_empty() {
            let header = PageHeader::read(pages).ok_or_else(|| wrong("a page's header"))?;
            if !ENCODINGS.contains(&header.encoding) {
                return Err(ColumnsError::Unexpected(format!(
                    "a page has the encoding {}, expected plain values or a dictionary",
                    header.encoding
                )));
            }
            let values = header.values.saturating_mul(BYTES_OF_A_VALUE);
            unpacked = unpacked.saturating_add(header.unpacked.max(values));
            if unpacked > budget {
                let message = format!("it unpacks to more than {budget} bytes");
                return Err(ColumnsError::Unexpected(message));
            }
            let end = header.length.checked_add(header.packed);
            pages = (end.and_then(|end| pages.get(end..)))
                .ok_or_else(|| wrong("a page longer than its column"))?;
        }
    }
    Ok(())
}

/// What is needed of a page's header.
struct PageHeader {
    /// Bytes of the header.
    length: usize,
    /// Bytes of the page as it lies in the file.
    packed: usize,
    /// Bytes once unpacked.
    unpacked: u64,
    /// Number of values.
    values: u64,
    /// How they are encoded.
    encoding: i64,
}

impl PageHeader {
    /// The header at the start of `data`; `None` if there is none.
    fn read(data: &[u8]) -> Option<Self> {
        let mut reader = Compact { data, at: 0 };
        let mut numbers = Vec::new();
        reader.structure(0, 0, &mut numbers)?;
        let number = |structure: i64, field: i64| {
            let found = numbers.iter().find(|n| (n.0, n.1) == (structure, field));
            found.map(|n| n.2)
        };
        // parquet.thrift: fields 5, 7 and 8 of a page header are what is said of pages of data, of a
        // dictionary, and of data in version 2.
        let of_data = number(5, 1).zip(number(5, 2));
        let of_dictionary = number(7, 1).zip(number(7, 2));
        let of_data_2 = number(8, 1).zip(number(8, 4));
        let is_index = number(0, 1) == Some(1);
        let (values, encoding) = of_data
            .or(of_dictionary)
            .or(of_data_2)
            .or(is_index.then_some((0, 0)))?;
        Some(Self {
            length: reader.at,
            packed: usize::try_from(number(0, 3)?).ok()?,
            unpacked: u64::try_from(number(0, 2)?).ok()?,
            values: u64::try_from(values).ok()?,
            encoding,
        })
    }
}

/// A reader of Thrift's compact protocol.
struct Compact<'a> {
    data: &'a [u8],
    at: usize,
}

impl Compact<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.data.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn pass(&mut self, bytes: u64) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(bytes).ok()?)?;
        self.at = (end <= self.data.len()).then_some(end)?;
        Some(())
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Reads a structure, field `name` of the one above, and keeps the integers that it and those in it hold
    /// as (structure, field, value).
    fn structure(&mut self, name: i64, level: u8, kept: &mut Vec<(i64, i64, i64)>) -> Option<()> {
        let mut field = 0;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            field = match head >> 4 {
                0 => self.signed()?,
                step => field + i64::from(step),
            };
            match head & 0xf {
                // Truth values are in the head.
                1 | 2 => {}
                4..=6 => {
                    let value = self.signed()?;
                    if level < 2 {
                        kept.push((name, field, value));
                    }
                }
                12 if level < MOST_LEVELS => self.structure(field, level + 1, kept)?,
                kind => self.pass_value(kind, level)?,
            }
        }
    }

    fn pass_value(&mut self, kind: u8, level: u8) -> Option<()> {
        match kind {
            1..=3 => self.pass(1),
            4..=6 => self.unsigned().map(|_| ()),
            7 => self.pass(8),
            8 => {
                let length = self.unsigned()?;
                self.pass(length)
            }
            9 | 10 if level < MOST_LEVELS => {
                let head = self.byte()?;
                let length = match head >> 4 {
                    15 => self.unsigned()?,
                    length => u64::from(length),
                };
                // Each takes a byte at least.
                for _ in 0..length {
                    self.pass_value(head & 0xf, level + 1)?;
                }
                Some(())
            }
            12 if level < MOST_LEVELS => self.structure(-1, level + 2, &mut Vec::new()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out by hand after the Thrift specification: a page of data of 3 values, 40 bytes packed to
    /// 30, dictionary encoded, with statistics that name a text of 2 bytes.
    const HEADER: [u8; 20] = [
        0x15, 0, 0x15, 80, 0x15, 60, 0x2c, 0x15, 6, 0x15, 16, 0x15, 6, 0x15, 6, 0x1c, 0x18, 2,
        b'a', b'b',
    ];

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let data = [&HEADER[..], &[0, 0, 0, 9, 9]].concat();
        let header = PageHeader::read(&data).unwrap();
        assert_eq!((header.length, header.packed), (23, 30));
        assert_eq!(
            (header.unpacked, header.values, header.encoding),
            (40, 3, 8)
        );
        for end in 0..23 {
            assert!(PageHeader::read(&data[..end]).is_none());
        }
        // A text longer than the file.
        let mut data = data;
        data[17] = 0x7f;
        assert!(PageHeader::read(&data).is_none());
    }

    #[test]
    fn structures_within_structures_end() {
        assert!(PageHeader::read(&[0x1c; 100_000]).is_none());
        assert!(PageHeader::read(&[0x19; 100_000]).is_none());
    }
}
