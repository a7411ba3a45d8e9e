//! An exact Gaussian process of a number.

use std::f64::consts::PI;

use crate::{
    cholesky::{Cholesky, dot},
    fit::most_probable,
    kernel::{Hyperparameters, Kernel},
};

/// Steps of a search for hyperparameters.
const ITERATIONS: usize = 40;

/// A Gaussian process with its data (Rasmussen and Williams, algorithm 2.1). Values are taken
/// relative to their mean and in units of their standard deviation, a typical value counting as
/// one more of them.
#[derive(Debug, Clone)]
pub(crate) struct Regression {
    kernel: Kernel,
    inputs: Vec<Box<[f64]>>,
    values: Vec<f64>,
    mean: f64,
    unit: f64,
    factor: Cholesky,
    weights: Vec<f64>,
}

impl Regression {
    /// A process with these hyperparameters, given the values at these features, whose groups have
    /// so many members. `None` where the matrix is singular.
    pub(crate) fn new(
        features: &[&[f64]],
        values: &[f64],
        sizes: &[usize],
        typical: f64,
        hyperparameters: &Hyperparameters,
    ) -> Option<Self> {
        let kernel = Kernel::new(hyperparameters, sizes, 0.0);
        let (mean, unit) = mean_and_unit(values, typical);
        let inputs: Vec<_> = features.iter().map(|x| kernel.scaled(x)).collect();
        let factor = Cholesky::of(inputs.len(), kernel.noisy(&inputs))?;
        let values: Vec<f64> = values.iter().map(|y| (y - mean) / unit).collect();
        Some(Self {
            weights: factor.solve(&values),
            kernel,
            inputs,
            values,
            mean,
            unit,
            factor,
        })
    }

    /// Adds a value that is only believed: the expected one, which leaves all means as they are and
    /// takes away the uncertainty there (kriging believer: Ginsbourger, Le Riche and Carraro 2010).
    pub(crate) fn believe(&mut self, features: &[f64]) {
        let input = self.kernel.scaled(features);
        let mut row = self.kernel.row(&self.inputs, &input);
        let value = dot(&row, &self.weights);
        row.push(self.kernel.variance() + self.kernel.noise);
        if self.factor.push(&row).is_some() {
            self.inputs.push(input);
            self.values.push(value);
            self.weights = self.factor.solve(&self.values);
        }
    }

    /// The same with an uncertainty of half the variance everywhere.
    pub(crate) fn rough_posterior(&self, features: &[f64]) -> (f64, f64) {
        let input = self.kernel.scaled(features);
        let means = self.inputs.iter().zip(&self.weights);
        let mean: f64 = means
            .map(|(x, weight)| weight * self.kernel.of(x, &input))
            .sum();
        let variance = 0.5 * self.kernel.variance() + self.kernel.noise;
        (self.mean + self.unit * mean, self.unit * variance.sqrt())
    }

    /// Mean and standard deviation of what a calculation would give.
    pub(crate) fn posterior(&self, features: &[f64]) -> (f64, f64) {
        let input = self.kernel.scaled(features);
        let mut row = self.kernel.row(&self.inputs, &input);
        let mean = dot(&row, &self.weights);
        self.factor.solve_lower(&mut row);
        let variance = self.kernel.variance() + self.kernel.noise - dot(&row, &row);
        let variance = variance.max(self.kernel.noise);
        (self.mean + self.unit * mean, self.unit * variance.sqrt())
    }

    /// What calculations of several crystals would give in one function of the posterior, from as
    /// many standard normal numbers.
    pub(crate) fn draw(&self, features: &[&[f64]], normals: &[f64]) -> Vec<f64> {
        let inputs: Vec<_> = features.iter().map(|x| self.kernel.scaled(x)).collect();
        let mut means = Vec::with_capacity(inputs.len());
        let mut rows = Vec::with_capacity(inputs.len());
        for input in &inputs {
            let mut row = self.kernel.row(&self.inputs, input);
            means.push(dot(&row, &self.weights));
            self.factor.solve_lower(&mut row);
            rows.push(row);
        }
        // The noise keeps crystals with the same features apart.
        let element = |i: usize, j: usize| {
            let noise = if i == j { self.kernel.noise } else { 0.0 };
            self.kernel.of(&inputs[i], &inputs[j]) - dot(&rows[i], &rows[j]) + noise
        };
        let factor = Cholesky::of(inputs.len(), element);
        let drawn = means.iter().enumerate().map(|(i, mean)| {
            let away = match &factor {
                Some(factor) => dot(factor.row(i), &normals[..=i]),
                // Of a singular covariance each by itself.
                None => element(i, i).max(0.0).sqrt() * normals[i],
            };
            self.mean + self.unit * (mean + away)
        });
        drawn.collect()
    }
}

/// Mean and standard deviation of values and a typical one, which is as uncertain as it is large.
fn mean_and_unit(values: &[f64], typical: f64) -> (f64, f64) {
    let count = values.len() as f64 + 1.0;
    let mean = (values.iter().sum::<f64>() + typical) / count;
    let squares = values.iter().map(|y| (y - mean).powi(2)).sum::<f64>();
    (mean, ((squares + typical.powi(2)) / count).sqrt())
}

/// Logarithm of the marginal likelihood of values of mean 0, and its gradient by the logarithms of
/// signal, noise and weights (Rasmussen and Williams, equations 2.30 and 5.9).
pub(crate) fn evidence(
    features: &[&[f64]],
    values: &[f64],
    sizes: &[usize],
    hyperparameters: &Hyperparameters,
) -> Option<(f64, Vec<f64>)> {
    let kernel = Kernel::new(hyperparameters, sizes, 0.0);
    let inputs: Vec<_> = features.iter().map(|x| kernel.scaled(x)).collect();
    let count = inputs.len();
    let factor = Cholesky::of(count, kernel.noisy(&inputs))?;
    let weights = factor.solve(values);
    let constant = 0.5 * count as f64 * (2.0 * PI).ln();
    let value = -0.5 * dot(values, &weights) - factor.half_log_determinant() - constant;
    let inverse = factor.inverse();
    let gradient = kernel.gradient(&inputs, sizes, |i, j| {
        0.5 * (weights[i] * weights[j] - inverse[i][j])
    });
    Some((value, gradient))
}

/// The most probable hyperparameters: of marginal likelihood times prior.
pub(crate) fn fitted(
    features: &[&[f64]],
    values: &[f64],
    sizes: &[usize],
    typical: f64,
) -> Hyperparameters {
    let (mean, unit) = mean_and_unit(values, typical);
    let values: Vec<f64> = values.iter().map(|y| (y - mean) / unit).collect();
    most_probable(sizes.len(), ITERATIONS, |hyperparameters| {
        evidence(features, &values, sizes, hyperparameters)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 2] = [2, 1];

    fn data(count: usize) -> (Vec<Vec<f64>>, Vec<f64>) {
        let inputs: Vec<Vec<f64>> = (0..count)
            .map(|i| {
                let t = i as f64;
                vec![(1.3 * t).sin(), (0.7 * t).cos(), (2.1 * t).sin()]
            })
            .collect();
        let values = inputs.iter().map(|x| x[0] * x[1] + 0.3 * x[2]).collect();
        (inputs, values)
    }

    fn hyperparameters() -> Hyperparameters {
        Hyperparameters {
            signal_ln: 0.3,
            noise_ln: -3.0,
            weights_ln: vec![0.4, -0.7],
        }
    }

    fn borrowed(inputs: &[Vec<f64>]) -> Vec<&[f64]> {
        inputs.iter().map(Vec::as_slice).collect()
    }

    /// Oracle: one and two data by the closed formulas, written out.
    #[test]
    fn posterior_of_two_values_by_hand() {
        let (inputs, values) = data(2);
        let hyper = hyperparameters();
        let process = Regression::new(&borrowed(&inputs), &values, &SIZES, 1.0, &hyper).unwrap();
        let at = [0.2, -0.4, 0.9];
        let k = |a: &[f64], b: &[f64]| {
            let w = hyper
                .weights_ln
                .iter()
                .map(|ln| ln.exp())
                .collect::<Vec<_>>();
            let r2 = w[0] / 2.0 * ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2))
                + w[1] * (a[2] - b[2]).powi(2);
            let r = (5.0 * r2).sqrt();
            hyper.signal_ln.exp() * (1.0 + r + r * r / 3.0) * (-r).exp()
        };
        let noise = hyper.noise_ln.exp();
        let (a, b) = (k(&at, &inputs[0]), k(&at, &inputs[1]));
        let (d, o) = (hyper.signal_ln.exp() + noise, k(&inputs[0], &inputs[1]));
        let determinant = d * d - o * o;
        let (mean, unit) = mean_and_unit(&values, 1.0);
        let y: Vec<f64> = values.iter().map(|y| (y - mean) / unit).collect();
        let weighted = (a * (d * y[0] - o * y[1]) + b * (d * y[1] - o * y[0])) / determinant;
        let explained = (a * (d * a - o * b) + b * (d * b - o * a)) / determinant;
        let (found, spread) = process.posterior(&at);
        assert!((found - (mean + unit * weighted)).abs() < 1e-12);
        assert!((spread - unit * (d - explained).sqrt()).abs() < 1e-12);
    }

    /// Oracle: central differences.
    #[test]
    fn gradient_of_the_evidence() {
        let (inputs, values) = data(12);
        let inputs = borrowed(&inputs);
        let point = hyperparameters().to_vec();
        let at = |point: &[f64]| {
            evidence(
                &inputs,
                &values,
                &SIZES,
                &Hyperparameters::from_slice(point),
            )
            .unwrap()
        };
        let (_, gradient) = at(&point);
        for place in 0..point.len() {
            let step = 1e-5;
            let moved = |by: f64| {
                let mut moved = point.clone();
                moved[place] += by;
                at(&moved).0
            };
            let slope = (moved(step) - moved(-step)) / (2.0 * step);
            assert!(
                (slope - gradient[place]).abs() < 1e-7 * (1.0 + slope.abs()),
                "{place}"
            );
        }
    }

    /// Oracle: the chain rule of probability: evidence is the product of each value's density given
    /// those before it.
    #[test]
    fn evidence_is_a_product_of_posteriors() {
        let (inputs, values) = data(7);
        let (inputs, hyper) = (borrowed(&inputs), hyperparameters());
        let log_density = |y: f64, mean: f64, spread: f64| {
            -0.5 * ((y - mean) / spread).powi(2) - spread.ln() - 0.5 * (2.0 * PI).ln()
        };
        let evidence_of = |count: usize| {
            evidence(&inputs[..count], &values[..count], &SIZES, &hyper)
                .unwrap()
                .0
        };
        for count in 1..7 {
            let kernel = Kernel::new(&hyper, &SIZES, 0.0);
            let scaled: Vec<_> = inputs.iter().map(|x| kernel.scaled(x)).collect();
            let element = |i: usize, j: usize| {
                kernel.of(&scaled[i], &scaled[j]) + if i == j { kernel.noise } else { 0.0 }
            };
            let factor = Cholesky::of(count, element).unwrap();
            let row: Vec<f64> = (0..count).map(|i| element(count, i)).collect();
            let solved = factor.solve(&row);
            let mean = dot(&solved, &values[..count]);
            let spread = (element(count, count) - dot(&solved, &row)).sqrt();
            let expected = evidence_of(count) + log_density(values[count], mean, spread);
            assert!((evidence_of(count + 1) - expected).abs() < 1e-10);
        }
    }

    /// What is believed changes no mean, and takes uncertainty away; the same as a process that was
    /// given the value (closed form: a value equal to its expectation leaves the mean).
    #[test]
    fn a_believed_value_takes_uncertainty_away() {
        let (inputs, values) = data(6);
        let mut process =
            Regression::new(&borrowed(&inputs), &values, &SIZES, 1.0, &hyperparameters()).unwrap();
        let (near, far) = ([0.25, -0.4, 0.9], [3.0, -2.0, 4.0]);
        let before = [process.posterior(&near), process.posterior(&far)];
        process.believe(&[0.2, -0.4, 0.9]);
        let after = [process.posterior(&near), process.posterior(&far)];
        for (before, after) in before.iter().zip(&after) {
            assert!((before.0 - after.0).abs() < 1e-10);
        }
        assert!(after[0].1 < 0.8 * before[0].1 && after[1].1 < before[1].1 + 1e-12);
    }

    /// Oracle: the closed form of the posterior covariance of two crystals, by which a drawn pair is
    /// a known linear function of two numbers.
    #[test]
    fn draws_have_the_posterior_covariance() {
        let (inputs, values) = data(8);
        let hyper = hyperparameters();
        let process = Regression::new(&borrowed(&inputs), &values, &SIZES, 1.0, &hyper).unwrap();
        let places: [&[f64]; 2] = [&[0.2, -0.4, 0.9], &[0.0, 0.3, -0.5]];
        let of = |normals: [f64; 2]| process.draw(&places, &normals);
        let (mean, first, second) = (of([0.0, 0.0]), of([1.0, 0.0]), of([0.0, 1.0]));
        for (i, place) in places.iter().enumerate() {
            let (expected, spread) = process.posterior(place);
            let steps = [first[i] - mean[i], second[i] - mean[i]];
            assert!((mean[i] - expected).abs() < 1e-12);
            assert!((dot(&steps, &steps) - spread * spread).abs() < 1e-12);
        }
        // What the second would be known to be, had the first come out one higher.
        let mut longer = inputs.clone();
        longer.push(places[0].to_vec());
        let kernel = Kernel::new(&hyper, &SIZES, 0.0);
        let scaled: Vec<_> = longer.iter().map(|x| kernel.scaled(x)).collect();
        let element = |i: usize, j: usize| {
            kernel.of(&scaled[i], &scaled[j]) + if i == j { kernel.noise } else { 0.0 }
        };
        let factor = Cholesky::of(9, element).unwrap();
        let other = kernel.scaled(places[1]);
        let row: Vec<f64> = scaled.iter().map(|x| kernel.of(x, &other)).collect();
        let slope = factor.solve(&row)[8];
        let found = (first[1] - mean[1]) / (first[0] - mean[0]);
        assert!((found - slope).abs() < 1e-10, "{found} {slope}");
    }

    /// A fit to data drawn from one group alone sees that the other does not count.
    #[test]
    fn a_group_that_does_not_matter_loses_its_weight() {
        let (inputs, _) = data(40);
        let values: Vec<f64> = inputs.iter().map(|x| (2.0 * x[2]).sin()).collect();
        let fitted = fitted(&borrowed(&inputs), &values, &SIZES, 1.0);
        assert!(
            fitted.weights_ln[1] > fitted.weights_ln[0] + 1.5,
            "{fitted:?}"
        );
    }
}
