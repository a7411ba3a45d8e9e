//! The block formats of GGML: groups of weights that share a scale.
//!
//! Layouts and formulas are those of the format's specification (`ggml-quants` and the GGUF document):
//! a row is cut into blocks of [`BlockFormat::values`] weights, each of [`BlockFormat::bytes`] bytes.

use super::half::f16_to_f32;

/// A block format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockFormat {
    /// 32 weights: scale d (f16), 32 signed bytes; `d·q`.
    Q8_0,
    /// 32 weights: scale d (f16), 32 half bytes; `d·(q − 8)`.
    Q4_0,
    /// 32 weights: scale d and least value m (f16), 32 half bytes; `d·q + m`.
    Q4_1,
    /// 256 weights in eight groups: scales d and e (f16), eight pairs (s, t) of 6 bits, 256 half
    /// bytes; `(d·s)·q − e·t`.
    Q4K,
}

impl BlockFormat {
    /// Weights of a block.
    pub fn values(self) -> usize {
        match self {
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 => 32,
            Self::Q4K => 256,
        }
    }

    /// Bytes of a block.
    pub fn bytes(self) -> usize {
        match self {
            Self::Q8_0 => 34,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q4K => 144,
        }
    }

    /// The weights of whole blocks, in f32; each product and sum is rounded once, as the reference
    /// does it.
    #[inline(always)]
    pub fn dequantise(self, bytes: &[u8], out: &mut [f32]) {
        let blocks = bytes.chunks_exact(self.bytes());
        let outs = out.chunks_exact_mut(self.values());
        match self {
            Self::Q8_0 => blocks.zip(outs).for_each(|(block, out)| q8_0(block, out)),
            Self::Q4_0 => blocks.zip(outs).for_each(|(block, out)| q4_0(block, out)),
            Self::Q4_1 => blocks.zip(outs).for_each(|(block, out)| q4_1(block, out)),
            Self::Q4K => blocks.zip(outs).for_each(|(block, out)| q4_k(block, out)),
        }
    }
}

#[inline(always)]
fn half(bytes: &[u8], at: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

#[inline(always)]
fn q8_0(block: &[u8], out: &mut [f32]) {
    let scale = half(block, 0);
    for (out, &q) in out.iter_mut().zip(&block[2..34]) {
        *out = scale * f32::from(q as i8);
    }
}

#[inline(always)]
fn q4_0(block: &[u8], out: &mut [f32]) {
    let scale = half(block, 0);
    let (low, high) = out.split_at_mut(16);
    for ((low, high), &q) in low.iter_mut().zip(high).zip(&block[2..18]) {
        *low = scale * (f32::from(q & 15) - 8.0);
        *high = scale * (f32::from(q >> 4) - 8.0);
    }
}

#[inline(always)]
fn q4_1(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half(block, 0), half(block, 2));
    let (low, high) = out.split_at_mut(16);
    for ((low, high), &q) in low.iter_mut().zip(high).zip(&block[4..20]) {
        *low = scale * f32::from(q & 15) + least;
        *high = scale * f32::from(q >> 4) + least;
    }
}

#[inline(always)]
fn q4_k(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half(block, 0), half(block, 2));
    let packed = &block[4..16];
    for group in 0..8 {
        // The first four pairs lie in the low six bits; of the others, the high two bits are those
        // of the first four.
        let (s, t) = if group < 4 {
            (packed[group] & 63, packed[group + 4] & 63)
        } else {
            (
                (packed[group + 4] & 15) | ((packed[group - 4] >> 6) << 4),
                (packed[group + 4] >> 4) | ((packed[group] >> 6) << 4),
            )
        };
        let (group_scale, group_least) = (scale * f32::from(s), least * f32::from(t));
        let bytes = &block[16 + 32 * (group / 2)..][..32];
        let shift = 4 * (group % 2);
        for (out, &q) in out[32 * group..][..32].iter_mut().zip(bytes) {
            *out = group_scale * f32::from((q >> shift) & 15) - group_least;
        }
    }
}
