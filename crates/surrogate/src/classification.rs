//! A Gaussian process of yes and no, by Laplace's approximation.

use crate::{
    cholesky::{Cholesky, dot},
    fit::most_probable,
    kernel::{Hyperparameters, Kernel},
    normal::{below, inverse_mills, log_below},
};

/// Variance of the constant, so that any share of yes is as likely as another.
const CONSTANT: f64 = 1.0;
const NEWTON_STEPS: usize = 60;
/// Steps of a search for hyperparameters.
const ITERATIONS: usize = 25;

/// The probability of a yes, `Φ(f)` of a Gaussian process `f` (Rasmussen and Williams, sections 3.4
/// and 3.5).
#[derive(Debug, Clone)]
pub(crate) struct Classification {
    kernel: Kernel,
    inputs: Vec<Box<[f64]>>,
    mode: Mode,
}

/// What goes with the most probable function values `f̂`.
#[derive(Debug, Clone)]
struct Mode {
    /// Factor of `B = I + W½ K W½`.
    factor: Cholesky,
    /// `W½`.
    roots: Vec<f64>,
    /// `∇ ln p(y | f̂)`.
    slopes: Vec<f64>,
    /// `∇³ ln p(y | f̂)`.
    third: Vec<f64>,
    /// `ln q(y)`, the approximate marginal likelihood.
    evidence: f64,
}

impl Mode {
    /// Newton's iteration (algorithm 3.1), from zero so that the same data give the same numbers.
    fn of(matrix: &[Vec<f64>], yes: &[bool]) -> Option<Self> {
        let count = yes.len();
        let signs: Vec<f64> = yes
            .iter()
            .map(|yes| if *yes { 1.0 } else { -1.0 })
            .collect();
        let mut values = vec![0.0; count];
        let mut weights = vec![0.0; count];
        let mut last = f64::NEG_INFINITY;
        for _ in 0..NEWTON_STEPS {
            let ratios: Vec<f64> = values
                .iter()
                .zip(&signs)
                .map(|(f, sign)| inverse_mills(sign * f))
                .collect();
            let slopes: Vec<f64> = signs.iter().zip(&ratios).map(|(s, r)| s * r).collect();
            let curvature = |i: usize| ratios[i] * (signs[i] * values[i] + ratios[i]);
            let roots: Vec<f64> = (0..count).map(|i| curvature(i).max(0.0).sqrt()).collect();
            let element = |i: usize, j: usize| {
                roots[i] * matrix[i][j] * roots[j] + f64::from(u8::from(i == j))
            };
            let factor = Cholesky::of(count, element)?;
            let likelihood: f64 = values
                .iter()
                .zip(&signs)
                .map(|(f, sign)| log_below(sign * f))
                .sum();
            let objective = likelihood - 0.5 * dot(&weights, &values);
            let done = objective - last < 1e-10 * (1.0 + objective.abs());
            last = objective;
            if done {
                let third = (0..count).map(|i| {
                    let (z, r) = (signs[i] * values[i], ratios[i]);
                    signs[i] * r * ((z + r).powi(2) - 1.0 + r * (z + r))
                });
                return Some(Self {
                    third: third.collect(),
                    evidence: objective - factor.half_log_determinant(),
                    factor,
                    roots,
                    slopes,
                });
            }
            let b: Vec<f64> = (0..count)
                .map(|i| roots[i] * roots[i] * values[i] + slopes[i])
                .collect();
            let pulled: Vec<f64> = (0..count).map(|i| roots[i] * dot(&matrix[i], &b)).collect();
            let solved = factor.solve(&pulled);
            weights = (0..count).map(|i| b[i] - roots[i] * solved[i]).collect();
            values = (0..count).map(|i| dot(&matrix[i], &weights)).collect();
        }
        None
    }
}

fn full_matrix(kernel: &Kernel, inputs: &[Box<[f64]>]) -> Vec<Vec<f64>> {
    let (count, element) = (inputs.len(), kernel.noisy(inputs));
    (0..count)
        .map(|i| (0..count).map(|j| element(i, j)).collect())
        .collect()
}

impl Classification {
    /// The process given which of these crystals are a yes. `None` where there is none, or the
    /// iteration does not end.
    pub(crate) fn new(
        features: &[&[f64]],
        yes: &[bool],
        sizes: &[usize],
        hyperparameters: &Hyperparameters,
    ) -> Option<Self> {
        if yes.is_empty() {
            return None;
        }
        let kernel = Kernel::new(hyperparameters, sizes, CONSTANT);
        let inputs: Vec<_> = features.iter().map(|x| kernel.scaled(x)).collect();
        let mode = Mode::of(&full_matrix(&kernel, &inputs), yes)?;
        Some(Self {
            kernel,
            inputs,
            mode,
        })
    }

    /// The same with an uncertainty of half the variance everywhere.
    pub(crate) fn rough_probability(&self, features: &[f64]) -> f64 {
        let input = self.kernel.scaled(features);
        let means = self.inputs.iter().zip(&self.mode.slopes);
        let mean: f64 = means
            .map(|(x, slope)| slope * self.kernel.of(x, &input))
            .sum();
        below(mean / (1.0 + 0.5 * self.kernel.variance()).sqrt())
    }

    /// Probability of a yes (equations 3.24 and 3.25).
    pub(crate) fn probability(&self, features: &[f64]) -> f64 {
        let input = self.kernel.scaled(features);
        let mut row = self.kernel.row(&self.inputs, &input);
        let mean = dot(&row, &self.mode.slopes);
        for (k, root) in row.iter_mut().zip(&self.mode.roots) {
            *k *= root;
        }
        self.mode.factor.solve_lower(&mut row);
        let variance = self.kernel.variance() + self.kernel.noise - dot(&row, &row);
        below(mean / (1.0 + variance.max(0.0)).sqrt())
    }
}

/// Logarithm of the approximate marginal likelihood and its gradient by the logarithms of signal,
/// noise and weights (algorithm 5.1).
pub(crate) fn evidence(
    features: &[&[f64]],
    yes: &[bool],
    sizes: &[usize],
    hyperparameters: &Hyperparameters,
) -> Option<(f64, Vec<f64>)> {
    let kernel = Kernel::new(hyperparameters, sizes, CONSTANT);
    let inputs: Vec<_> = features.iter().map(|x| kernel.scaled(x)).collect();
    let matrix = full_matrix(&kernel, &inputs);
    let mode = Mode::of(&matrix, yes)?;
    let Mode {
        factor,
        roots,
        slopes,
        third,
        ..
    } = &mode;
    let count = yes.len();
    // R = W½ B⁻¹ W½, and half the change of ln det B with each function value.
    let mut inverse = factor.inverse();
    for (row, left) in inverse.iter_mut().zip(roots) {
        for (element, right) in row.iter_mut().zip(roots) {
            *element *= left * right;
        }
    }
    let bend: Vec<f64> = (0..count)
        .map(|i| {
            let mut column: Vec<f64> = (0..count).map(|j| roots[j] * matrix[j][i]).collect();
            factor.solve_lower(&mut column);
            0.5 * (matrix[i][i] - dot(&column, &column)) * third[i]
        })
        .collect();
    // The change of f̂ with θ is (1 − K R) ∂K ∇ln p, so that one vector collects all of it.
    let pulled: Vec<f64> = (0..count).map(|i| dot(&matrix[i], &bend)).collect();
    let shift: Vec<f64> = (0..count)
        .map(|i| bend[i] - dot(&inverse[i], &pulled))
        .collect();
    let gradient = kernel.gradient(&inputs, sizes, |i, j| {
        0.5 * (slopes[i] * slopes[j] - inverse[i][j])
            + 0.5 * (shift[i] * slopes[j] + shift[j] * slopes[i])
    });
    Some((mode.evidence, gradient))
}

/// The most probable hyperparameters: of marginal likelihood times prior.
pub(crate) fn fitted(features: &[&[f64]], yes: &[bool], sizes: &[usize]) -> Hyperparameters {
    most_probable(sizes.len(), ITERATIONS, |hyperparameters| {
        evidence(features, yes, sizes, hyperparameters)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 2] = [2, 1];

    fn data(count: usize) -> (Vec<Vec<f64>>, Vec<bool>) {
        let inputs: Vec<Vec<f64>> = (0..count)
            .map(|i| {
                let t = i as f64;
                vec![(1.3 * t).sin(), (0.7 * t).cos(), (2.1 * t).sin()]
            })
            .collect();
        let yes = inputs.iter().map(|x| x[0] + 0.4 * x[2] > 0.1).collect();
        (inputs, yes)
    }

    fn hyperparameters() -> Hyperparameters {
        Hyperparameters {
            signal_ln: 0.6,
            noise_ln: -2.0,
            weights_ln: vec![0.4, -0.7],
        }
    }

    fn borrowed(inputs: &[Vec<f64>]) -> Vec<&[f64]> {
        inputs.iter().map(Vec::as_slice).collect()
    }

    /// Oracle: central differences.
    #[test]
    fn gradient_of_the_evidence() {
        let (inputs, yes) = data(14);
        let inputs = borrowed(&inputs);
        let point = hyperparameters().to_vec();
        let at = |point: &[f64]| {
            evidence(&inputs, &yes, &SIZES, &Hyperparameters::from_slice(point)).unwrap()
        };
        let (_, gradient) = at(&point);
        for place in 0..point.len() {
            let step = 1e-4;
            let moved = |by: f64| {
                let mut moved = point.clone();
                moved[place] += by;
                at(&moved).0
            };
            let slope = (moved(step) - moved(-step)) / (2.0 * step);
            assert!(
                (slope - gradient[place]).abs() < 1e-5,
                "{place} {slope} {gradient:?}"
            );
        }
    }

    /// Oracle: the integral over the function values of two crystals on a fine mesh.
    #[test]
    fn two_crystals_by_quadrature() {
        let (inputs, _) = data(2);
        let yes = [true, false];
        let hyper = hyperparameters();
        let process = Classification::new(&borrowed(&inputs), &yes, &SIZES, &hyper).unwrap();
        let (a, b) = (&process.inputs[0], &process.inputs[1]);
        let kernel = &process.kernel;
        let (d, o) = (kernel.variance() + kernel.noise, kernel.of(a, b));
        let determinant = d * d - o * o;
        let (step, half) = (0.05, 160);
        let (mut total, mut expected) = (0.0, 0.0);
        for i in -half..=half {
            for j in -half..=half {
                let (f, g) = (f64::from(i) * step, f64::from(j) * step);
                let exponent = -0.5 * (d * f * f - 2.0 * o * f * g + d * g * g) / determinant;
                let weight = exponent.exp() * below(f) * below(-g);
                total += weight;
                // Of another crystal at the place of the first, whose unexplained part is its own.
                let w0 = ((d - kernel.noise) * d - o * o) / determinant;
                let w1 = (o * d - (d - kernel.noise) * o) / determinant;
                let left = d - w0 * (d - kernel.noise) - w1 * o;
                expected += weight * below((w0 * f + w1 * g) / (1.0 + left).sqrt());
            }
        }
        let found = process.probability(&inputs[0]);
        // What Laplace's approximation is known to leave: it is too cautious.
        assert!(
            (found - expected / total).abs() < 0.03,
            "{found} {}",
            expected / total
        );
        let evidence = evidence(&borrowed(&inputs), &yes, &SIZES, &hyper)
            .unwrap()
            .0;
        let norm = step * step / (2.0 * std::f64::consts::PI * determinant.sqrt());
        assert!((evidence - (total * norm).ln()).abs() < 0.05, "{evidence}");
    }

    /// A newcomer is told right from what is like it, and far from all data nothing is sure.
    #[test]
    fn probabilities_follow_the_data() {
        let (inputs, yes) = data(60);
        let inputs = borrowed(&inputs);
        let hyper = fitted(&inputs[..40], &yes[..40], &SIZES);
        let process = Classification::new(&inputs[..40], &yes[..40], &SIZES, &hyper).unwrap();
        let right = inputs[40..]
            .iter()
            .zip(&yes[40..])
            .filter(|(x, yes)| (process.probability(x) > 0.5) == **yes);
        assert!(right.count() >= 17);
        let far = process.probability(&[40.0, -40.0, 40.0]);
        assert!((0.2..0.8).contains(&far), "{far}");
    }
}
