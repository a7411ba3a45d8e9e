//! Least squares by the method of Levenberg and Marquardt, as MINPACK has it.
//!
//! The algorithm is J. J. Moré's (Lecture Notes in Mathematics 630, 105 (1978)): steps within a scaled trust
//! region, whose parameter is found from the QR factors of a Jacobian by forward differences. Constants,
//! tests of convergence and the order of operations are those that the user guide of MINPACK's `lmdif`
//! states (J. J. Moré, B. S. Garbow and K. E. Hillstrom, ANL-80-74 (1980)), so that a fit that cannot
//! converge ends where `lmdif` ends.

/// Rounding of a number and the smallest one, to the twelve digits that MINPACK has of them.
const EPSILON: f64 = 2.220_446_049_26e-16;
const SMALLEST: f64 = 2.225_073_858_52e-308;
/// The first step is at most so many times the scaled start.
const FACTOR: f64 = 100.0;
/// A step is taken if the squares fall by this part of what is expected.
const LEAST_RATIO: f64 = 1e-4;
/// How far the length of a step may be from the trust radius, relatively.
const RADIUS_TOLERANCE: f64 = 0.1;
/// Parameters of the trust region tried for one step.
const MOST_PARAMETERS: usize = 10;

type Vector<const N: usize> = [f64; N];
/// Columns.
type Matrix<const N: usize> = [[f64; N]; N];

/// Where the search ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Minimum<const N: usize> {
    /// The parameters.
    pub(crate) parameters: Vector<N>,
    /// Whether one of the tests of convergence was met.
    pub(crate) has_converged: bool,
}

/// Parameters with the least sum of squares of as many residuals, from the given start; relative tolerance
/// `tolerance` for sum and parameters, at most 200 (N + 1) evaluations.
pub(crate) fn minimize<const N: usize>(
    mut residuals: impl FnMut(&Vector<N>) -> Vector<N>,
    start: Vector<N>,
    tolerance: f64,
) -> Minimum<N> {
    let most_evaluations = 200 * (N + 1);
    let mut x = start;
    let mut f = residuals(&x);
    let mut evaluations = 1;
    let mut f_norm = euclidean_norm(&f);
    let mut damping = 0.0;
    let mut scale = [0.0; N];
    let (mut radius, mut x_norm) = (0.0, 0.0);
    let mut is_first = true;
    loop {
        let jacobian = forward_differences(&mut residuals, &x, &f);
        evaluations += N;
        let factors = PivotedQr::of(jacobian);
        if is_first {
            scale = factors
                .column_norms
                .map(|norm| if norm == 0.0 { 1.0 } else { norm });
            x_norm = euclidean_norm(&scaled(&scale, &x));
            radius = FACTOR * x_norm;
            if radius == 0.0 {
                radius = FACTOR;
            }
        }
        let projected = factors.transposed_product(f);
        let gradient = factors.largest_cosine(&projected, f_norm);
        let done = |has_converged| Minimum {
            parameters: x,
            has_converged,
        };
        if gradient <= 0.0 {
            return done(true);
        }
        for (scale, norm) in scale.iter_mut().zip(factors.column_norms) {
            *scale = scale.max(norm);
        }
        loop {
            let (step, new_damping) = factors.step(&scale, &projected, radius, damping);
            damping = new_damping;
            let step = step.map(|p| -p);
            let trial: Vector<N> = std::array::from_fn(|j| x[j] + step[j]);
            let length = euclidean_norm(&scaled(&scale, &step));
            if is_first {
                radius = radius.min(length);
            }
            let f_trial = residuals(&trial);
            evaluations += 1;
            let trial_norm = euclidean_norm(&f_trial);
            let actual = match 0.1 * trial_norm < f_norm {
                true => 1.0 - (trial_norm / f_norm).powi(2),
                false => -1.0,
            };
            let linear = euclidean_norm(&factors.product(&step)) / f_norm;
            let damped = damping.sqrt() * length / f_norm;
            let predicted = linear * linear + damped * damped / 0.5;
            let slope = -(linear * linear + damped * damped);
            let ratio = if predicted != 0.0 {
                actual / predicted
            } else {
                0.0
            };
            if ratio <= 0.25 {
                let mut shrink = match actual >= 0.0 {
                    true => 0.5,
                    false => 0.5 * slope / (slope + 0.5 * actual),
                };
                if 0.1 * trial_norm >= f_norm || shrink < 0.1 {
                    shrink = 0.1;
                }
                radius = shrink * radius.min(length / 0.1);
                damping /= shrink;
            } else if damping == 0.0 || ratio >= 0.75 {
                radius = length / 0.5;
                damping *= 0.5;
            }
            if ratio >= LEAST_RATIO {
                x = trial;
                f = f_trial;
                x_norm = euclidean_norm(&scaled(&scale, &x));
                f_norm = trial_norm;
                is_first = false;
            }
            let done = |has_converged| Minimum {
                parameters: x,
                has_converged,
            };
            let sum_stays =
                |limit: f64| actual.abs() <= limit && predicted <= limit && 0.5 * ratio <= 1.0;
            if sum_stays(tolerance) || radius <= tolerance * x_norm {
                return done(true);
            }
            let is_exhausted =
                sum_stays(EPSILON) || radius <= EPSILON * x_norm || gradient <= EPSILON;
            if evaluations >= most_evaluations || is_exhausted {
                // MINPACK's short form calls a vanishing gradient convergence.
                return done(gradient <= EPSILON);
            }
            if ratio >= LEAST_RATIO {
                break;
            }
        }
    }
}

fn scaled<const N: usize>(scale: &Vector<N>, x: &Vector<N>) -> Vector<N> {
    std::array::from_fn(|j| scale[j] * x[j])
}

/// The Jacobian by columns: each parameter is moved by `√ε |x|`.
fn forward_differences<const N: usize>(
    mut residuals: impl FnMut(&Vector<N>) -> Vector<N>,
    x: &Vector<N>,
    f: &Vector<N>,
) -> Matrix<N> {
    let relative = EPSILON.sqrt();
    std::array::from_fn(|j| {
        let mut moved = *x;
        let step = match relative * x[j].abs() {
            0.0 => relative,
            step => step,
        };
        moved[j] = x[j] + step;
        let there = residuals(&moved);
        std::array::from_fn(|i| (there[i] - f[i]) / step)
    })
}

/// The length of a vector, without overflow of its squares: large, middle and small components are
/// summed apart.
fn euclidean_norm(x: &[f64]) -> f64 {
    const SMALL: f64 = 3.834e-20;
    const LARGE: f64 = 1.304e19;
    let large = LARGE / x.len() as f64;
    let (mut large_sum, mut middle_sum, mut small_sum) = (0.0, 0.0, 0.0);
    let (mut largest, mut largest_small) = (0.0_f64, 0.0_f64);
    // Squares in units of the largest so far.
    let add = |size: f64, most: &mut f64, sum: &mut f64| {
        if size > *most {
            *sum = 1.0 + *sum * (*most / size).powi(2);
            *most = size;
        } else if size != 0.0 {
            *sum += (size / *most).powi(2);
        }
    };
    for component in x {
        let size = component.abs();
        if size > SMALL && size < large {
            middle_sum += size * size;
        } else if size > SMALL {
            add(size, &mut largest, &mut large_sum);
        } else {
            add(size, &mut largest_small, &mut small_sum);
        }
    }
    if large_sum != 0.0 {
        largest * (large_sum + middle_sum / largest / largest).sqrt()
    } else if middle_sum != 0.0 {
        let rest = largest_small * small_sum;
        match middle_sum >= largest_small {
            true => (middle_sum * (1.0 + largest_small / middle_sum * rest)).sqrt(),
            false => (largest_small * (middle_sum / largest_small + rest)).sqrt(),
        }
    } else {
        largest_small * small_sum.sqrt()
    }
}

/// `A P = Q R` by Householder's reflections, the largest remaining column first.
struct PivotedQr<const N: usize> {
    /// Reflections below and on the diagonal, R above it; columns.
    columns: Matrix<N>,
    /// The diagonal of R.
    diagonal: Vector<N>,
    /// Which column of A each is.
    order: [usize; N],
    /// Lengths of the columns of A.
    column_norms: Vector<N>,
}

impl<const N: usize> PivotedQr<N> {
    fn of(mut a: Matrix<N>) -> Self {
        let column_norms: Vector<N> = std::array::from_fn(|j| euclidean_norm(&a[j]));
        let mut left = column_norms;
        let mut reference = column_norms;
        let mut diagonal = column_norms;
        let mut order: [usize; N] = std::array::from_fn(|j| j);
        for j in 0..N {
            let mut pivot = j;
            for k in j..N {
                if left[k] > left[pivot] {
                    pivot = k;
                }
            }
            if pivot != j {
                a.swap(j, pivot);
                left[pivot] = left[j];
                reference[pivot] = reference[j];
                order.swap(j, pivot);
            }
            let mut norm = euclidean_norm(&a[j][j..]);
            if norm != 0.0 {
                if a[j][j] < 0.0 {
                    norm = -norm;
                }
                for x in &mut a[j][j..] {
                    *x /= norm;
                }
                a[j][j] += 1.0;
                let reflection = a[j];
                for k in j + 1..N {
                    let mut sum = 0.0;
                    for i in j..N {
                        sum += reflection[i] * a[k][i];
                    }
                    let share = sum / reflection[j];
                    for i in j..N {
                        a[k][i] -= share * reflection[i];
                    }
                    if left[k] != 0.0 {
                        let share = a[k][j] / left[k];
                        left[k] *= (1.0 - share * share).max(0.0).sqrt();
                        // What is left over by cancellation is computed anew.
                        if 0.05 * (left[k] / reference[k]).powi(2) <= EPSILON {
                            left[k] = euclidean_norm(&a[k][j + 1..]);
                            reference[k] = left[k];
                        }
                    }
                }
            }
            diagonal[j] = -norm;
        }
        Self {
            columns: a,
            diagonal,
            order,
            column_norms,
        }
    }

    /// The element of R in row i and column j ≥ i.
    fn r(&self, i: usize, j: usize) -> f64 {
        if i == j {
            self.diagonal[j]
        } else {
            self.columns[j][i]
        }
    }

    /// `Qᵀ f`
    fn transposed_product(&self, mut f: Vector<N>) -> Vector<N> {
        for (j, column) in self.columns.iter().enumerate() {
            if column[j] != 0.0 {
                let mut sum = 0.0;
                for i in j..N {
                    sum += column[i] * f[i];
                }
                let share = -sum / column[j];
                for i in j..N {
                    f[i] += column[i] * share;
                }
            }
        }
        f
    }

    /// `R Pᵀ p`, as long as `A p`.
    fn product(&self, p: &Vector<N>) -> Vector<N> {
        let mut product = [0.0; N];
        for j in 0..N {
            let part = p[self.order[j]];
            for (i, sum) in product.iter_mut().enumerate().take(j + 1) {
                *sum += self.r(i, j) * part;
            }
        }
        product
    }

    /// The largest cosine between the residuals and a column of A.
    fn largest_cosine(&self, projected: &Vector<N>, f_norm: f64) -> f64 {
        let mut largest = 0.0_f64;
        if f_norm == 0.0 {
            return largest;
        }
        for j in 0..N {
            let norm = self.column_norms[self.order[j]];
            if norm != 0.0 {
                let mut sum = 0.0;
                for (i, part) in projected.iter().enumerate().take(j + 1) {
                    sum += self.r(i, j) * (part / f_norm);
                }
                largest = largest.max((sum / norm).abs());
            }
        }
        largest
    }

    /// The step with the least squares of the linear model within the trust region, and the parameter λ for
    /// which it solves `(AᵀA + λ D²) p = Aᵀ f`, from an estimate of it.
    fn step(
        &self,
        scale: &Vector<N>,
        projected: &Vector<N>,
        radius: f64,
        estimate: f64,
    ) -> (Vector<N>, f64) {
        let rank = (0..N).find(|&j| self.diagonal[j] == 0.0).unwrap_or(N);
        // Gauss and Newton's step.
        let mut solved = *projected;
        solved[rank..].fill(0.0);
        for j in (0..rank).rev() {
            solved[j] /= self.diagonal[j];
            let part = solved[j];
            for (i, rest) in solved.iter_mut().enumerate().take(j) {
                *rest -= self.r(i, j) * part;
            }
        }
        let mut x = self.unpermuted(&solved);
        let mut scaled_x = scaled(scale, &x);
        let mut length = euclidean_norm(&scaled_x);
        let mut beyond = length - radius;
        if beyond <= RADIUS_TOLERANCE * radius {
            return (x, 0.0);
        }
        let mut low = 0.0;
        if rank == N {
            let mut w: Vector<N> = self.scaled_direction(scale, &scaled_x, length);
            for j in 0..N {
                let mut sum = 0.0;
                for (i, part) in w.iter().enumerate().take(j) {
                    sum += self.r(i, j) * part;
                }
                w[j] = (w[j] - sum) / self.diagonal[j];
            }
            let norm = euclidean_norm(&w);
            low = beyond / radius / norm / norm;
        }
        let mut gradient = [0.0; N];
        for j in 0..N {
            let mut sum = 0.0;
            for (i, part) in projected.iter().enumerate().take(j + 1) {
                sum += self.r(i, j) * part;
            }
            gradient[j] = sum / scale[self.order[j]];
        }
        let gradient_norm = euclidean_norm(&gradient);
        let mut high = gradient_norm / radius;
        if high == 0.0 {
            high = SMALLEST / radius.min(RADIUS_TOLERANCE);
        }
        let mut damping = estimate.max(low).min(high);
        if damping == 0.0 {
            damping = gradient_norm / length;
        }
        for tries in 1.. {
            if damping == 0.0 {
                damping = f64::max(SMALLEST, 0.001 * high);
            }
            let root = damping.sqrt();
            let damped = self.damped(&scale.map(|d| root * d), projected);
            x = damped.x;
            scaled_x = scaled(scale, &x);
            length = euclidean_norm(&scaled_x);
            let before = beyond;
            beyond = length - radius;
            let is_below = low == 0.0 && beyond <= before && before < 0.0;
            if beyond.abs() <= RADIUS_TOLERANCE * radius || is_below || tries == MOST_PARAMETERS {
                break;
            }
            // Newton's correction.
            let mut w = self.scaled_direction(scale, &scaled_x, length);
            for j in 0..N {
                w[j] /= damped.diagonal[j];
                let part = w[j];
                for (i, rest) in w.iter_mut().enumerate().skip(j + 1) {
                    *rest -= damped.lower[j][i] * part;
                }
            }
            let norm = euclidean_norm(&w);
            let correction = beyond / radius / norm / norm;
            if beyond > 0.0 {
                low = low.max(damping);
            }
            if beyond < 0.0 {
                high = high.min(damping);
            }
            damping = low.max(damping + correction);
        }
        (x, damping)
    }

    /// `Pᵀ D² x / |D x|`
    fn scaled_direction(&self, scale: &Vector<N>, scaled_x: &Vector<N>, length: f64) -> Vector<N> {
        self.order.map(|l| scale[l] * (scaled_x[l] / length))
    }

    fn unpermuted(&self, permuted: &Vector<N>) -> Vector<N> {
        let mut x = [0.0; N];
        for (j, &l) in self.order.iter().enumerate() {
            x[l] = permuted[j];
        }
        x
    }

    /// Least squares of `A x = f` and `D x = 0` together: Givens's rotations turn the rows of D into R.
    fn damped(&self, weights: &Vector<N>, projected: &Vector<N>) -> Damped<N> {
        // The lower triangle by columns, its diagonal on it.
        let mut s: Matrix<N> = std::array::from_fn(|j| {
            std::array::from_fn(|i| if i >= j { self.r(j, i) } else { 0.0 })
        });
        let mut w = *projected;
        let mut diagonal = [0.0; N];
        for j in 0..N {
            let weight = weights[self.order[j]];
            if weight != 0.0 {
                let mut row = [0.0; N];
                row[j] = weight;
                let mut rest = 0.0;
                for k in j..N {
                    if row[k] == 0.0 {
                        continue;
                    }
                    let (cosine, sine) = if s[k][k].abs() < row[k].abs() {
                        let cotangent = s[k][k] / row[k];
                        let sine = 0.5 / (0.25 + 0.25 * cotangent.powi(2)).sqrt();
                        (sine * cotangent, sine)
                    } else {
                        let tangent = row[k] / s[k][k];
                        let cosine = 0.5 / (0.25 + 0.25 * tangent.powi(2)).sqrt();
                        (cosine, cosine * tangent)
                    };
                    s[k][k] = cosine * s[k][k] + sine * row[k];
                    let turned = cosine * w[k] + sine * rest;
                    rest = -sine * w[k] + cosine * rest;
                    w[k] = turned;
                    for i in k + 1..N {
                        let turned = cosine * s[k][i] + sine * row[i];
                        row[i] = -sine * s[k][i] + cosine * row[i];
                        s[k][i] = turned;
                    }
                }
            }
            diagonal[j] = s[j][j];
        }
        let rank = (0..N).find(|&j| diagonal[j] == 0.0).unwrap_or(N);
        w[rank..].fill(0.0);
        for j in (0..rank).rev() {
            let mut sum = 0.0;
            for i in j + 1..rank {
                sum += s[j][i] * w[i];
            }
            w[j] = (w[j] - sum) / diagonal[j];
        }
        Damped {
            x: self.unpermuted(&w),
            diagonal,
            lower: s,
        }
    }
}

/// A damped solution, and the triangle that it was found with.
struct Damped<const N: usize> {
    x: Vector<N>,
    diagonal: Vector<N>,
    lower: Matrix<N>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: Rosenbrock's valley has its minimum at (1, 1), and three linear equations one solution.
    #[test]
    fn known_minima() {
        let valley = |x: &[f64; 2]| [10.0 * (x[1] - x[0] * x[0]), 1.0 - x[0]];
        let found = minimize(valley, [-1.2, 1.0], 1e-12);
        assert!(found.has_converged);
        assert!(found.parameters.iter().all(|x| (x - 1.0).abs() < 1e-9));
        let linear = |x: &[f64; 3]| [x[0] + x[1] - 3.0, x[1] - x[2] + 1.0, 2.0 * x[2] - 6.0];
        let found = minimize(linear, [0.0; 3], 1e-12);
        for (found, expected) in found.parameters.iter().zip([1.0, 2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-9);
        }
    }

    /// Identity: lengths of vectors whose squares neither overflow nor vanish.
    #[test]
    fn lengths_of_any_size() {
        for size in [1e-250_f64, 1e-19, 1.0, 1e19, 1e200] {
            let found = euclidean_norm(&[3.0 * size, -4.0 * size, 0.0]);
            assert!((found / (5.0 * size) - 1.0).abs() < 1e-15, "{size} {found}");
        }
        assert_eq!(euclidean_norm(&[0.0; 3]), 0.0);
    }
}
