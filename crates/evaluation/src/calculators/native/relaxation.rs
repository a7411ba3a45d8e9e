//! Where atoms go until no force is left on them.

/// A quasi-Newton search for a minimum by gradients: BFGS on the inverse Hessian (J. Nocedal and S. J.
/// Wright, Numerical Optimization, 2nd ed., eq. 6.17), which it keeps from one function to a similar
/// one.
#[derive(Debug, Clone)]
pub(super) struct QuasiNewton {
    /// Rows one after the other.
    inverse_hessian: Vec<f64>,
    last: Option<Last>,
    is_concave: bool,
}

#[derive(Debug, Clone)]
struct Last {
    step: Vec<f64>,
    gradient: Vec<f64>,
}

impl QuasiNewton {
    /// For so many variables, with the same second derivative along each to begin with.
    pub(super) fn new(variables: usize, second_derivative: f64) -> Self {
        let mut inverse_hessian = vec![0.0; variables * variables];
        for diagonal in inverse_hessian.iter_mut().step_by(variables + 1) {
            *diagonal = 1.0 / second_derivative;
        }
        Self {
            inverse_hessian,
            last: None,
            is_concave: false,
        }
    }

    /// Forgets where it was and keeps what it learnt.
    pub(super) fn move_to_another_function(&mut self) {
        self.last = None;
        self.is_concave = false;
    }

    /// Whether the function was concave along a step: there is no minimum near by.
    pub(super) fn is_concave(&self) -> bool {
        self.is_concave
    }

    /// The next step by the gradient where the last one led, no component longer than `longest`.
    pub(super) fn step(&mut self, gradient: &[f64], longest: f64) -> Vec<f64> {
        if let Some(last) = self.last.take() {
            self.learn(&last, gradient);
        }
        let newton = self.times(gradient);
        let largest = newton.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        let share = if largest > longest {
            longest / largest
        } else {
            1.0
        };
        let step: Vec<f64> = newton.iter().map(|x| -share * x).collect();
        self.last = Some(Last {
            step: step.clone(),
            gradient: gradient.to_vec(),
        });
        step
    }

    /// `H ← (1 − ρ s yᵀ) H (1 − ρ y sᵀ) + ρ s sᵀ`, `ρ = 1/(y·s)`, where the curvature is positive.
    fn learn(&mut self, last: &Last, gradient: &[f64]) {
        let s = &last.step;
        let y: Vec<f64> = gradient
            .iter()
            .zip(&last.gradient)
            .map(|(a, b)| a - b)
            .collect();
        let curvature = dot(&y, s);
        if curvature <= 0.0 {
            self.is_concave = true;
            return;
        }
        let hy = self.times(&y);
        let rho = 1.0 / curvature;
        let factor = rho * (1.0 + rho * dot(&y, &hy));
        for (i, row) in self.inverse_hessian.chunks_exact_mut(s.len()).enumerate() {
            for (j, h) in row.iter_mut().enumerate() {
                *h += factor * s[i] * s[j] - rho * (hy[i] * s[j] + s[i] * hy[j]);
            }
        }
    }

    fn times(&self, vector: &[f64]) -> Vec<f64> {
        let rows = self.inverse_hessian.chunks_exact(vector.len());
        rows.map(|row| dot(row, vector)).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the minimum of `½ xᵀ A x + ¼ Σ x⁴ − b·x` is where its gradient vanishes. What was learnt
    /// of a quadratic function leaves after one step on a shifted one a tenth of the gradient of 0.01.
    #[test]
    fn finds_a_minimum_and_keeps_the_curvature() {
        let a = [[3.0, 1.0, 0.0], [1.0, 2.0, -0.5], [0.0, -0.5, 0.7]];
        let gradient = |x: &[f64], b: f64, quartic: f64| -> Vec<f64> {
            let rows = a.iter().zip(x);
            rows.map(|(row, x0)| dot(row, x) + quartic * x0.powi(3) - b)
                .collect()
        };
        let size = |g: &[f64]| g.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        for quartic in [0.0, 1.0] {
            let mut search = QuasiNewton::new(3, 1.0);
            let mut x = vec![0.0; 3];
            let advance = |search: &mut QuasiNewton, x: &mut [f64], gradient: &[f64]| {
                for (x, step) in x.iter_mut().zip(search.step(gradient, 0.3)) {
                    *x += step;
                }
            };
            let mut steps = 0;
            while size(&gradient(&x, 1.0, quartic)) > 1e-10 {
                let slope = gradient(&x, 1.0, quartic);
                advance(&mut search, &mut x, &slope);
                steps += 1;
                assert!(steps < 60);
            }
            if quartic == 0.0 {
                search.move_to_another_function();
                let slope = gradient(&x, 1.01, 0.0);
                advance(&mut search, &mut x, &slope);
                let left = size(&gradient(&x, 1.01, 0.0));
                assert!(left < 1e-3, "{left}");
            }
        }
    }

    /// By hand: `−½ x²` is concave, and a step from −1 to −1.3 finds it.
    #[test]
    fn a_concave_function_is_noticed() {
        let mut search = QuasiNewton::new(1, 1.0);
        assert_eq!(search.step(&[1.0], 0.3), [-0.3]);
        assert!(!search.is_concave());
        search.step(&[1.3], 0.3);
        assert!(search.is_concave());
        search.move_to_another_function();
        assert!(!search.is_concave());
    }

    /// By definition.
    #[test]
    fn steps_are_no_longer_than_allowed() {
        let step = QuasiNewton::new(2, 0.01).step(&[-1.0, 0.5], 0.2);
        assert_eq!(step, [0.2, -0.1]);
    }
}
