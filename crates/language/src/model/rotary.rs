//! Rotary positions (Su et al. 2021) with the stretching of Llama 3.

use crate::LlamaConfig;

/// Frequencies of the rotations, one for each pair of numbers of a head.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotary {
    frequencies: Vec<f32>,
}

impl Rotary {
    /// `θ^(−2i/d)`, stretched as the configuration says or divided by what a file says.
    pub fn new(config: &LlamaConfig, divisors: Option<&[f32]>) -> Self {
        let half = config.head_dim / 2;
        let frequencies = (0..half).map(|pair| {
            let exponent = 2.0 * pair as f64 / config.head_dim as f64;
            let plain = 1.0 / config.rope_theta.powf(exponent);
            let stretched = config.rope_scaling.map_or(plain, |scaling| {
                let wavelength = 2.0 * std::f64::consts::PI / plain;
                let (low, high) = (scaling.low_freq_factor, scaling.high_freq_factor);
                let turns = scaling.original_max_position_embeddings / wavelength;
                if turns < low {
                    plain / scaling.factor
                } else if turns > high {
                    plain
                } else {
                    let share = (turns - low) / (high - low);
                    (1.0 - share) * plain / scaling.factor + share * plain
                }
            });
            let divisor = divisors.and_then(|divisors| divisors.get(pair)).copied();
            stretched as f32 / divisor.unwrap_or(1.0)
        });
        Self {
            frequencies: frequencies.collect(),
        }
    }

    /// Radians from one position to the next, for each pair of numbers of a head.
    pub fn frequencies(&self) -> &[f32] {
        &self.frequencies
    }

    /// Turns all heads of rows at these positions; backwards for the derivative.
    pub fn turn(&self, positions: &[u32], width: usize, rows: &mut [f32], backwards: bool) {
        let half = self.frequencies.len();
        let mut angles = vec![(0.0_f32, 0.0_f32); half];
        for (row, &position) in rows.chunks_exact_mut(width).zip(positions) {
            for (angle, frequency) in angles.iter_mut().zip(&self.frequencies) {
                let (sin, cos) = (position as f32 * frequency).sin_cos();
                *angle = (if backwards { -sin } else { sin }, cos);
            }
            for head in row.chunks_exact_mut(2 * half) {
                let (first, second) = head.split_at_mut(half);
                for ((a, b), &(sin, cos)) in first.iter_mut().zip(second).zip(&angles) {
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            }
        }
    }
}
