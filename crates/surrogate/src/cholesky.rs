//! The Cholesky factor of a small dense matrix, which grows row by row.

/// The lower factor `L` of a positive definite matrix `K = L Lᵀ`, row after row.
///
/// A row depends on the rows before it alone, so that adding one gives to the last bit what the
/// factorisation of the larger matrix would.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Cholesky {
    size: usize,
    /// Row `i` has `i + 1` numbers, from `i (i + 1) / 2` on.
    packed: Vec<f64>,
}

/// Sum of products in a fixed order, eight at a time.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a_chunks
        .remainder()
        .iter()
        .zip(b_chunks.remainder())
        .map(|(a, b)| a * b)
        .sum();
    let mut lanes = [0.0; 8];
    for (a, b) in a_chunks.zip(b_chunks) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f64>() + rest
}

impl Cholesky {
    /// The factor of the matrix whose element `(i, j)` for `j ≤ i` is `element(i, j)`; `None` if it
    /// is not positive definite in floating-point numbers.
    pub(crate) fn of(size: usize, element: impl Fn(usize, usize) -> f64) -> Option<Self> {
        let mut factor = Self {
            size: 0,
            packed: Vec::with_capacity(size * (size + 1) / 2),
        };
        let mut row = Vec::with_capacity(size);
        for i in 0..size {
            row.clear();
            row.extend((0..=i).map(|j| element(i, j)));
            factor.push(&row)?;
        }
        Some(factor)
    }

    /// Adds the next row of the matrix, its diagonal element last.
    pub(crate) fn push(&mut self, row: &[f64]) -> Option<()> {
        let begin = self.packed.len();
        for (j, &element) in row.iter().enumerate() {
            let done = &self.packed[begin..];
            let rest = match j < self.size {
                true => element - dot(done, &self.row(j)[..j]),
                false => element - dot(done, done),
            };
            let number = match j < self.size {
                true => rest / self.row(j)[j],
                false if rest > 0.0 && rest.is_finite() => rest.sqrt(),
                false => {
                    self.packed.truncate(begin);
                    return None;
                }
            };
            self.packed.push(number);
        }
        self.size += 1;
        Some(())
    }

    pub(crate) fn row(&self, i: usize) -> &[f64] {
        let begin = i * (i + 1) / 2;
        &self.packed[begin..=begin + i]
    }

    /// `L⁻¹ b` in place.
    pub(crate) fn solve_lower(&self, b: &mut [f64]) {
        for i in 0..b.len() {
            let row = self.row(i);
            b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
        }
    }

    /// `L⁻ᵀ b` in place.
    pub(crate) fn solve_upper(&self, b: &mut [f64]) {
        for i in (0..b.len()).rev() {
            let row = self.row(i);
            let solved = b[i] / row[i];
            b[i] = solved;
            for (b, l) in b[..i].iter_mut().zip(row) {
                *b -= l * solved;
            }
        }
    }

    /// `K⁻¹ b`.
    pub(crate) fn solve(&self, b: &[f64]) -> Vec<f64> {
        let mut x = b.to_vec();
        self.solve_lower(&mut x);
        self.solve_upper(&mut x);
        x
    }

    /// `½ ln det K`.
    pub(crate) fn half_log_determinant(&self) -> f64 {
        (0..self.size).map(|i| self.row(i)[i].ln()).sum()
    }

    /// `K⁻¹`, row after row.
    pub(crate) fn inverse(&self) -> Vec<Vec<f64>> {
        let unit = |place: usize| {
            let mut column = vec![0.0; self.size];
            column[place] = 1.0;
            column
        };
        (0..self.size)
            .map(|place| self.solve(&unit(place)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix that is positive definite by its dominant diagonal.
    fn element(i: usize, j: usize) -> f64 {
        let away = i.abs_diff(j) as f64;
        if i == j {
            3.0
        } else {
            (1.0 + away).recip() * (-1f64).powi((i + j) as i32)
        }
    }

    /// Oracle: the definition of an inverse, and Gauss's elimination for the determinant.
    #[test]
    fn inverse_and_determinant() {
        let size = 21;
        let factor = Cholesky::of(size, element).unwrap();
        let inverse = factor.inverse();
        for i in 0..size {
            for (j, column) in inverse.iter().enumerate() {
                let product: f64 = (0..size).map(|k| element(i, k) * column[k]).sum();
                let expected = f64::from(u8::from(i == j));
                assert!((product - expected).abs() < 1e-12, "{i} {j} {product}");
            }
        }
        let mut rows: Vec<Vec<f64>> = (0..size)
            .map(|i| (0..size).map(|j| element(i, j)).collect())
            .collect();
        let mut log_determinant = 0.0;
        for k in 0..size {
            let pivot = rows[k].clone();
            log_determinant += pivot[k].ln();
            for row in &mut rows[k + 1..] {
                let factor = row[k] / pivot[k];
                row.iter_mut()
                    .zip(&pivot)
                    .for_each(|(a, p)| *a -= factor * p);
            }
        }
        assert!((2.0 * factor.half_log_determinant() - log_determinant).abs() < 1e-11);
    }

    #[test]
    fn a_row_more_is_the_larger_factor() {
        let mut grown = Cholesky::of(9, element).unwrap();
        let row: Vec<f64> = (0..=9).map(|j| element(9, j)).collect();
        grown.push(&row).unwrap();
        assert_eq!(Some(grown), Cholesky::of(10, element));
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        assert_eq!(Cholesky::of(2, |_, _| 1.0), None);
        assert_eq!(Cholesky::of(1, |_, _| f64::NAN), None);
    }
}
