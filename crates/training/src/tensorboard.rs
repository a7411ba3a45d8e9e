//! Event files that TensorBoard shows.

use std::{
    fs::File,
    io::{self, BufWriter, Seek, Write},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::RunFolder;

/// Writes scalars that TensorBoard shows.
///
/// The file is a sequence of TFRecords, `length (u64) · masked crc32c of it · data · masked crc32c
/// of the data`, each holding one protobuf `Event` (TensorFlow's `event.proto`, `summary.proto`).
#[derive(Debug)]
pub struct EventWriter {
    name: String,
    file: BufWriter<File>,
}

impl EventWriter {
    /// Creates an event file in the folder of a run, with its configuration as a text summary.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn create(run: &RunFolder, configuration: &str) -> io::Result<Self> {
        let prefix = RunFolder::EVENTS_PREFIX;
        let name = format!("{prefix}{}.crystalgym", unix_seconds() as u64);
        let file = run.inside().open_to_write(&name)?;
        file.set_len(0)?;
        let mut writer = Self {
            name,
            file: BufWriter::new(file),
        };
        writer.write_event(0, Payload::FileVersion)?;
        writer.write_event(
            0,
            Payload::Text {
                tag: "configuration",
                text: configuration,
            },
        )?;
        writer.flush()?;
        Ok(writer)
    }

    /// Opens an event file of a run again, dropping what was written after the first `length` bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for a name that is none of an event file,
    /// [`io::ErrorKind::InvalidData`] for a shorter file, or any error of the file system.
    pub fn reopen(run: &RunFolder, name: &str, length: u64) -> io::Result<Self> {
        let bad = |kind, message: String| Err(io::Error::new(kind, message));
        if !name.starts_with(RunFolder::EVENTS_PREFIX) {
            let message = format!("{name:?} is no name of an event file");
            return bad(io::ErrorKind::InvalidInput, message);
        }
        let mut file = run.inside().open_to_write(name)?;
        let found = file.metadata()?.len();
        if found < length {
            let message = format!("it has {found} bytes, but the checkpoint counted {length}");
            return bad(io::ErrorKind::InvalidData, message);
        }
        file.set_len(length)?;
        file.seek(io::SeekFrom::End(0))?;
        Ok(Self {
            name: name.to_owned(),
            file: BufWriter::new(file),
        })
    }

    /// Adds one point to the curve `tag`.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn scalar(&mut self, tag: &str, step: u64, value: f64) -> io::Result<()> {
        self.write_event(
            step,
            Payload::Scalar {
                tag,
                value: value as f32,
            },
        )
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hands everything to the operating system, so that a viewer sees it.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// Puts everything on disk and returns the length in bytes, for [`Self::reopen`].
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn sync(&mut self) -> io::Result<u64> {
        self.file.flush()?;
        self.file.get_ref().sync_data()?;
        Ok(self.file.get_ref().metadata()?.len())
    }

    fn write_event(&mut self, step: u64, payload: Payload<'_>) -> io::Result<()> {
        let data = encode_event(unix_seconds(), step, &payload);
        let length = (data.len() as u64).to_le_bytes();
        self.file.write_all(&length)?;
        self.file.write_all(&masked_crc(&length).to_le_bytes())?;
        self.file.write_all(&data)?;
        self.file.write_all(&masked_crc(&data).to_le_bytes())
    }
}

enum Payload<'a> {
    FileVersion,
    Scalar { tag: &'a str, value: f32 },
    Text { tag: &'a str, text: &'a str },
}

/// `Event { wall_time = 1, step = 2, file_version = 3, summary = 5 }`.
fn encode_event(wall_time: f64, step: u64, payload: &Payload<'_>) -> Vec<u8> {
    let mut event = Vec::new();
    put_key(&mut event, 1, FIXED64);
    event.extend(wall_time.to_le_bytes());
    put_key(&mut event, 2, VARINT);
    put_varint(&mut event, step);
    match payload {
        Payload::FileVersion => put_bytes(&mut event, 3, b"brain.Event:2"),
        Payload::Scalar { tag, value } => {
            // Value { tag = 1, simple_value = 2 }
            let mut summary_value = Vec::new();
            put_bytes(&mut summary_value, 1, tag.as_bytes());
            put_key(&mut summary_value, 2, FIXED32);
            summary_value.extend(value.to_le_bytes());
            put_summary(&mut event, &summary_value);
        }
        Payload::Text { tag, text } => {
            // TensorProto { dtype = 1 (DT_STRING = 7), tensor_shape = 2 { dim = 2 { size = 1 } },
            // string_val = 8 } shown by the plugin "text".
            let mut dimension = Vec::new();
            put_key(&mut dimension, 1, VARINT);
            put_varint(&mut dimension, 1);
            let mut shape = Vec::new();
            put_bytes(&mut shape, 2, &dimension);
            let mut tensor = Vec::new();
            put_key(&mut tensor, 1, VARINT);
            put_varint(&mut tensor, 7);
            put_bytes(&mut tensor, 2, &shape);
            put_bytes(&mut tensor, 8, format!("```toml\n{text}\n```").as_bytes());
            let mut plugin = Vec::new();
            put_bytes(&mut plugin, 1, b"text");
            let mut metadata = Vec::new();
            put_bytes(&mut metadata, 1, &plugin);
            let mut summary_value = Vec::new();
            put_bytes(&mut summary_value, 1, tag.as_bytes());
            put_bytes(&mut summary_value, 8, &tensor);
            put_bytes(&mut summary_value, 9, &metadata);
            put_summary(&mut event, &summary_value);
        }
    }
    event
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

fn put_summary(event: &mut Vec<u8>, summary_value: &[u8]) {
    let mut summary = Vec::new();
    put_bytes(&mut summary, 1, summary_value);
    put_bytes(event, 5, &summary);
}

fn put_key(out: &mut Vec<u8>, field: u64, wire_type: u64) {
    put_varint(out, field << 3 | wire_type);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_key(out, field, BYTES);
    put_varint(out, bytes.len() as u64);
    out.extend(bytes);
}

/// TFRecord's rotation of the checksum, so that a checksum of checksummed data differs from it.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

fn unix_seconds() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |duration| duration.as_secs_f64())
}
