//! L-BFGS: steps from the last few changes of the gradient.

use std::collections::VecDeque;

/// Changes that are remembered.
const MEMORY: usize = 30;
/// Inverse curvature before anything is known, Å²/eV: that of a stiff bond.
const FIRST_INVERSE_CURVATURE: f64 = 1.0 / 70.0;

/// The two-loop recursion (Nocedal and Wright, algorithm 7.4).
#[derive(Debug, Default)]
pub(super) struct LimitedMemory {
    changes: VecDeque<Change>,
    last: Option<(Vec<f64>, Vec<f64>)>,
}

/// Of the coordinates and of the gradient.
#[derive(Debug)]
struct Change {
    s: Vec<f64>,
    y: Vec<f64>,
    inverse_product: f64,
}

impl LimitedMemory {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Drops what is remembered, as after a step that led astray.
    pub(super) fn forget(&mut self) {
        self.changes.clear();
    }

    /// The step from `x`, where the gradient is `gradient`; always downhill.
    pub(super) fn step(&mut self, x: &[f64], gradient: &[f64]) -> Vec<f64> {
        if let Some((last_x, last_gradient)) = self.last.take() {
            let s = difference(x, &last_x);
            let y = difference(gradient, &last_gradient);
            let product = dot(&s, &y);
            // Only where the energy curves upwards does a change say how far to go.
            if product > 1e-10 * dot(&y, &y).sqrt() * dot(&s, &s).sqrt() {
                self.changes.push_back(Change {
                    s,
                    y,
                    inverse_product: 1.0 / product,
                });
                if self.changes.len() > MEMORY {
                    self.changes.pop_front();
                }
            }
        }
        self.last = Some((x.to_vec(), gradient.to_vec()));
        let mut direction = gradient.to_vec();
        let mut weights = Vec::with_capacity(self.changes.len());
        for change in self.changes.iter().rev() {
            let weight = change.inverse_product * dot(&change.s, &direction);
            add_scaled(&mut direction, -weight, &change.y);
            weights.push(weight);
        }
        let inverse_curvature = self.changes.back().map_or(FIRST_INVERSE_CURVATURE, |last| {
            1.0 / (last.inverse_product * dot(&last.y, &last.y))
        });
        for x in &mut direction {
            *x *= inverse_curvature;
        }
        for (change, weight) in self.changes.iter().zip(weights.into_iter().rev()) {
            let back = change.inverse_product * dot(&change.y, &direction);
            add_scaled(&mut direction, weight - back, &change.s);
        }
        for x in &mut direction {
            *x = -*x;
        }
        direction
    }
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn add_scaled(a: &mut [f64], factor: f64, b: &[f64]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a += factor * b;
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: a quadratic function of five variables has its minimum where `A x = b`.
    #[test]
    fn finds_the_minimum_of_a_quadratic_function() {
        let gradient = |x: &[f64]| -> Vec<f64> {
            (0..5)
                .map(|i| {
                    (i + 1) as f64 * 3.0 * x[i] + 0.5 * x[(i + 1) % 5] + 0.5 * x[(i + 4) % 5] - 1.0
                })
                .collect()
        };
        let mut search = LimitedMemory::new();
        let mut x = vec![2.0, -1.0, 0.5, 3.0, -2.0];
        let mut steps = 0;
        while gradient(&x).iter().any(|g| g.abs() > 1e-9) {
            let step = search.step(&x, &gradient(&x));
            assert!(dot(&step, &gradient(&x)) < 0.0);
            add_scaled(&mut x, 1.0, &step);
            steps += 1;
            assert!(steps < 40);
        }
    }
}
