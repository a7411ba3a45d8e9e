//! Lines of files that somebody else may have prepared.

use std::io::{self, Read};

/// A reader that fails where a line is longer than lines are, or all of them are too much; then it has
/// ended. Readers of tables keep a row whole, and a file of zeros, which takes no room on a disk, is one row.
#[derive(Debug)]
pub(crate) struct ShortLines<R> {
    inner: R,
    /// Bytes of a line.
    longest: u64,
    /// Bytes since the last end of a line.
    line: u64,
    /// Bytes that may still come.
    left: u64,
    has_failed: bool,
}

impl<R: Read> ShortLines<R> {
    pub(crate) fn new(inner: R, longest: u64, most: u64) -> Self {
        Self {
            inner,
            longest,
            line: 0,
            left: most,
            has_failed: false,
        }
    }

    fn fail(&mut self, message: String) -> io::Error {
        self.has_failed = true;
        io::Error::new(io::ErrorKind::InvalidData, message)
    }
}

impl<R: Read> Read for ShortLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has_failed {
            return Ok(0);
        }
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => return Err(self.fail("it is too large for a table".to_owned())),
        }
        for piece in buffer[..read].split_inclusive(|&byte| byte == b'\n') {
            self.line += piece.len() as u64;
            if self.line > self.longest {
                let message = format!("a line has more than {} bytes", self.longest);
                return Err(self.fail(message));
            }
            if piece.ends_with(b"\n") {
                self.line = 0;
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_and_long_files_end() {
        let read = |text: &[u8], longest, most| {
            let mut reader = ShortLines::new(text, longest, most);
            let mut all = Vec::new();
            let first = reader
                .read_to_end(&mut all)
                .map_err(|error| error.to_string());
            // Nothing comes after an error.
            assert!(first.is_ok() || reader.read(&mut [0; 8]).unwrap() == 0);
            first
        };
        assert_eq!(read(b"abc\nde\n", 4, 7), Ok(7));
        assert!(read(b"abc\nde\n", 3, 7).unwrap_err().contains("line"));
        assert!(read(b"abc\nde\n", 4, 6).unwrap_err().contains("large"));
        let mut endless = ShortLines::new(io::repeat(0), 1 << 20, u64::MAX);
        assert!(io::copy(&mut endless, &mut io::sink()).is_err());
    }
}
