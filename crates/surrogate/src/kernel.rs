//! How alike two crystals are, as a function of their features.

use serde::{Deserialize, Serialize};

use crate::cholesky::dot;

/// Logarithms of a kernel's hyperparameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hyperparameters {
    /// `ln s²`, the variance of the function.
    pub signal_ln: f64,
    /// `ln σ²`, the variance of what no feature explains.
    pub noise_ln: f64,
    /// `ln w_g`, how much each group of features counts.
    pub weights_ln: Vec<f64>,
}

impl Hyperparameters {
    /// What is expected before any data, for values of variance 1.
    pub fn expected(groups: usize) -> Self {
        Self {
            signal_ln: 0.0,
            noise_ln: (0.05f64).ln(),
            // All groups together: typical crystals are about one length scale apart.
            weights_ln: vec![(2.0 / groups.max(1) as f64).ln(); groups],
        }
    }

    pub(crate) fn to_vec(&self) -> Vec<f64> {
        let mut all = vec![self.signal_ln, self.noise_ln];
        all.extend(&self.weights_ln);
        all
    }

    pub(crate) fn from_slice(all: &[f64]) -> Self {
        Self {
            signal_ln: all[0],
            noise_ln: all[1],
            weights_ln: all[2..].to_vec(),
        }
    }

    /// Whether all are numbers of a size that a fit can give.
    pub fn are_sane(&self) -> bool {
        self.to_vec().iter().all(|number| number.abs() < 50.0)
    }
}

/// Standard deviations of the normal priors of the logarithms, around
/// [`Hyperparameters::expected`].
const PRIOR_SPREADS: [f64; 3] = [1.0, 1.5, 1.5];

/// Logarithm of the prior density, without its constant, with its gradient added to `gradient`.
pub(crate) fn log_prior(hyperparameters: &[f64], gradient: &mut [f64]) -> f64 {
    let expected = Hyperparameters::expected(hyperparameters.len() - 2).to_vec();
    let mut sum = 0.0;
    for (place, (ln, expected)) in hyperparameters.iter().zip(expected).enumerate() {
        let spread = PRIOR_SPREADS[place.min(2)];
        let away = (ln - expected) / spread;
        sum -= 0.5 * away * away;
        gradient[place] -= away / spread;
    }
    sum
}

/// Matérn's kernel of order 5/2 (Rasmussen and Williams, Gaussian Processes for Machine Learning,
/// equation 4.17) with a constant added:
///
/// `k = c² + s² (1 + √5 r + 5 r²/3) exp(−√5 r)`, `r² = Σ_g w_g |x_g − x'_g|² / d_g`,
///
/// over groups `g` of `d_g` features each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kernel {
    signal: f64,
    pub(crate) noise: f64,
    constant: f64,
    /// By feature, `√(w_g / d_g)`.
    scales: Vec<f64>,
}

impl Kernel {
    pub(crate) fn new(hyperparameters: &Hyperparameters, sizes: &[usize], constant: f64) -> Self {
        let weights = hyperparameters.weights_ln.iter().zip(sizes);
        Self {
            signal: hyperparameters.signal_ln.exp(),
            noise: hyperparameters.noise_ln.exp(),
            constant,
            scales: weights
                .flat_map(|(ln, &size)| {
                    let scale = (ln.exp() / size.max(1) as f64).sqrt();
                    std::iter::repeat_n(scale, size)
                })
                .collect(),
        }
    }

    /// The features as the kernel sees them, with the square of their length as one more number.
    pub(crate) fn scaled(&self, features: &[f64]) -> Box<[f64]> {
        let mut scaled: Vec<f64> = features
            .iter()
            .zip(&self.scales)
            .map(|(x, scale)| x * scale)
            .collect();
        scaled.push(dot(&scaled, &scaled));
        scaled.into()
    }

    /// `k` of two crystals whose features are scaled.
    pub(crate) fn of(&self, a: &[f64], b: &[f64]) -> f64 {
        let last = a.len() - 1;
        let squared = (a[last] + b[last] - 2.0 * dot(&a[..last], &b[..last])).max(0.0);
        self.at(squared)
    }

    /// `k` of one crystal and each of others.
    pub(crate) fn row(&self, inputs: &[Box<[f64]>], input: &[f64]) -> Vec<f64> {
        inputs.iter().map(|x| self.of(x, input)).collect()
    }

    /// The matrix of what calculations give: `k` of two crystals by their numbers, and the noise of one
    /// and itself.
    pub(crate) fn noisy(&self, inputs: &[Box<[f64]>]) -> impl Fn(usize, usize) -> f64 {
        move |i, j| self.of(&inputs[i], &inputs[j]) + if i == j { self.noise } else { 0.0 }
    }

    /// `Σ_ij F_ij ∂K_ij/∂θ` of the matrix [`Self::noisy`] for a symmetric matrix `F`, by the logarithms
    /// of signal, noise and weights.
    pub(crate) fn gradient(
        &self,
        inputs: &[Box<[f64]>],
        sizes: &[usize],
        factor: impl Fn(usize, usize) -> f64,
    ) -> Vec<f64> {
        let mut gradient = vec![0.0; 2 + sizes.len()];
        for i in 0..inputs.len() {
            for j in 0..=i {
                let both = factor(i, j) * if i == j { 1.0 } else { 2.0 };
                let parts = Self::parts(&inputs[i], &inputs[j], sizes);
                let squared = parts.iter().sum();
                gradient[0] += both * self.signal_slope(squared);
                let slope = both * self.distance_slope(squared);
                for (gradient, part) in gradient[2..].iter_mut().zip(parts) {
                    *gradient += slope * part;
                }
            }
            gradient[1] += factor(i, i) * self.noise;
        }
        gradient
    }

    /// `k` of a crystal and itself.
    pub(crate) fn variance(&self) -> f64 {
        self.constant + self.signal
    }

    /// `k` at `r²`.
    pub(crate) fn at(&self, squared: f64) -> f64 {
        let x = (5.0 * squared).sqrt();
        self.constant + self.signal * (1.0 + x + x * x / 3.0) * (-x).exp()
    }

    /// `∂k/∂ ln s²` at `r²`.
    pub(crate) fn signal_slope(&self, squared: f64) -> f64 {
        self.at(squared) - self.constant
    }

    /// `∂k/∂ r²` at `r²`.
    pub(crate) fn distance_slope(&self, squared: f64) -> f64 {
        let x = (5.0 * squared).sqrt();
        -5.0 / 6.0 * self.signal * (1.0 + x) * (-x).exp()
    }

    /// The part of `r²` of each group, `w_g |x_g − x'_g|² / d_g`.
    pub(crate) fn parts(a: &[f64], b: &[f64], sizes: &[usize]) -> Vec<f64> {
        let mut from = 0;
        let part = |&size: &usize| {
            let range = from..from + size;
            from += size;
            let pairs = a[range.clone()].iter().zip(&b[range]);
            pairs.map(|(a, b)| (a - b) * (a - b)).sum()
        };
        sizes.iter().map(part).collect()
    }
}
