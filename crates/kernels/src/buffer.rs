//! Aligned memory that is used again.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

const LANE: usize = 16;

/// One cache line, so that a vector of them starts on one.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
struct Line([f32; LANE]);

/// Numbers aligned to cache lines, whose memory is kept from use to use.
#[derive(Clone, Default)]
pub struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// A buffer of zeros.
    pub fn zeros(len: usize) -> Self {
        Self {
            lines: vec![Line::default(); len.div_ceil(LANE)],
            len,
        }
    }

    /// Sets the length; what the numbers are afterwards is unspecified.
    pub fn resize(&mut self, len: usize) -> &mut [f32] {
        let lines = len.div_ceil(LANE);
        if lines > self.lines.len() {
            self.lines.resize(lines, Line::default());
        }
        self.len = len;
        self
    }

    /// Sets the length and all numbers to zero.
    pub fn reset(&mut self, len: usize) -> &mut [f32] {
        let numbers = self.resize(len);
        numbers.fill(0.0);
        numbers
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `lines` holds at least `len` initialised f32 without padding: a `Line` is
        // exactly sixteen of them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
