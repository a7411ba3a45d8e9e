//! Eigenvalues and inverse of symmetric 6×6 matrices.

use super::tensors::{Matrix6, Vector6};

/// `M = Σ_n λ_n v_n v_nᵀ`
pub(super) struct Spectrum {
    values: Vector6,
    /// Row n is v_n.
    vectors: Matrix6,
}

impl Spectrum {
    /// By Jacobi's rotations, each of which makes one element off the diagonal zero: G. H. Golub and
    /// C. F. Van Loan, Matrix Computations, 4th ed., section 8.5.
    pub(super) fn of(matrix: &Matrix6) -> Self {
        /// Convergence is quadratic: six to eight sweeps reach rounding.
        const SWEEPS: usize = 30;
        let mut a = *matrix;
        let mut vectors: Matrix6 =
            std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))));
        for _ in 0..SWEEPS {
            for p in 0..5 {
                for q in p + 1..6 {
                    if a[p][q] == 0.0 {
                        continue;
                    }
                    let half_cotangent = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                    let tangent = half_cotangent.signum()
                        / (half_cotangent.abs() + half_cotangent.hypot(1.0));
                    let cosine = 1.0 / tangent.hypot(1.0);
                    let sine = tangent * cosine;
                    for row in &mut a {
                        (row[p], row[q]) = (
                            cosine * row[p] - sine * row[q],
                            sine * row[p] + cosine * row[q],
                        );
                    }
                    rotate_rows(&mut a, p, q, cosine, sine);
                    rotate_rows(&mut vectors, p, q, cosine, sine);
                }
            }
        }
        Self {
            values: std::array::from_fn(|n| a[n][n]),
            vectors,
        }
    }

    /// The lowest eigenvalue and its eigenvector.
    pub(super) fn lowest(&self) -> (f64, Vector6) {
        let mut lowest = (self.values[0], self.vectors[0]);
        for (&value, &vector) in self.values.iter().zip(&self.vectors) {
            if value < lowest.0 {
                lowest = (value, vector);
            }
        }
        lowest
    }

    /// `Σ_n v_n v_nᵀ / λ_n`
    pub(super) fn inverse(&self) -> Matrix6 {
        let mut inverse = [[0.0; 6]; 6];
        for (value, vector) in self.values.iter().zip(&self.vectors) {
            super::tensors::add_outer(&mut inverse, &vector.map(|x| x / value), vector);
        }
        inverse
    }
}

fn rotate_rows(matrix: &mut Matrix6, p: usize, q: usize, cosine: f64, sine: f64) {
    // p < q.
    let (upper, lower) = matrix.split_at_mut(q);
    for (x, y) in upper[p].iter_mut().zip(&mut lower[0]) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}

/// Whether all pivots of Cholesky's factorisation are above `least`.
pub(super) fn has_pivots_above(matrix: &Matrix6, least: f64) -> bool {
    let mut lower = [[0.0; 6]; 6];
    for j in 0..6 {
        let pivot = matrix[j][j] - (0..j).map(|k| lower[j][k] * lower[j][k]).sum::<f64>();
        if pivot <= least {
            return false;
        }
        let root = pivot.sqrt();
        for i in j..6 {
            let dot = (0..j).map(|k| lower[i][k] * lower[j][k]).sum::<f64>();
            lower[i][j] = (matrix[i][j] - dot) / root;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{super::tensors::multiply, *};

    /// A full symmetric matrix whose eigenvalues are 1 to 6 about a shift: `H diag H` with a
    /// reflection H.
    fn reflected(values: Vector6) -> Matrix6 {
        let u: Vector6 = [0.1, -0.4, 0.3, 0.5, 0.2, -0.7];
        let norm2: f64 = u.iter().map(|x| x * x).sum();
        let h: Matrix6 = std::array::from_fn(|i| {
            std::array::from_fn(|j| f64::from(u8::from(i == j)) - 2.0 * u[i] * u[j] / norm2)
        });
        let scaled: Matrix6 = std::array::from_fn(|i| h[i].map(|x| x * values[i]));
        multiply(&h, &scaled)
    }

    /// Oracle: the eigenvalues that the matrix was made of.
    #[test]
    fn eigenvalues_and_inverse() {
        let matrix = reflected([3.0, -2.0, 5.0, 1.0, 4.0, 1.0]);
        let spectrum = Spectrum::of(&matrix);
        let (lowest, vector) = spectrum.lowest();
        assert!((lowest + 2.0).abs() < 1e-12, "{lowest}");
        for (row, x) in matrix.iter().zip(vector) {
            let image: f64 = row.iter().zip(vector).map(|(a, b)| a * b).sum();
            assert!((image - lowest * x).abs() < 1e-12);
        }
        let product = multiply(&matrix, &spectrum.inverse());
        for (i, row) in product.iter().enumerate() {
            for (j, x) in row.iter().enumerate() {
                assert!((x - f64::from(u8::from(i == j))).abs() < 1e-12);
            }
        }
        assert!(!has_pivots_above(&matrix, 0.0));
        assert!(has_pivots_above(
            &reflected([3.0, 2.0, 5.0, 1.0, 4.0, 1.0]),
            0.0
        ));
        assert!(!has_pivots_above(
            &reflected([3.0, 0.0, 5.0, 1.0, 4.0, 1.0]),
            1e-9
        ));
    }
}
