//! Eigenvectors of a pair of small symmetric matrices.

/// Vectors c_k with H c = ε S c and cᵀ S c = 1, by ascending ε; `n` × `n` row by row.
///
/// S = L Lᵀ (Cholesky) turns it into the ordinary problem L⁻¹ H L⁻ᵀ, which Jacobi's rotations
/// solve. S must be positive definite.
pub(super) fn generalized_eigen(h: &[f64], s: &[f64], n: usize) -> Vec<Vec<f64>> {
    let l = cholesky(s, n);
    // Columns of H through L⁻¹ from the left, twice with a transposition between.
    let half = solve_columns(&l, h, n);
    let mut matrix = solve_columns(&l, &transpose(&half, n), n);
    let mut vectors = vec![0.0; n * n];
    for i in 0..n {
        vectors[i * n + i] = 1.0;
    }
    for _ in 0..60 {
        let off: f64 = (0..n * n)
            .filter(|k| k / n != k % n)
            .map(|k| matrix[k] * matrix[k])
            .sum();
        let all: f64 = matrix.iter().map(|x| x * x).sum();
        if off <= 1e-26 * all {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut matrix, &mut vectors, n, p, q);
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| matrix[a * n + a].total_cmp(&matrix[b * n + b]));
    order
        .into_iter()
        .map(|k| {
            // c = L⁻ᵀ y
            let mut c: Vec<f64> = (0..n).map(|i| vectors[i * n + k]).collect();
            for i in (0..n).rev() {
                for j in i + 1..n {
                    c[i] -= l[j * n + i] * c[j];
                }
                c[i] /= l[i * n + i];
            }
            c
        })
        .collect()
}

/// One Jacobi rotation that makes element (p, q) vanish.
fn rotate(matrix: &mut [f64], vectors: &mut [f64], n: usize, p: usize, q: usize) {
    let element = matrix[p * n + q];
    if element == 0.0 {
        return;
    }
    let theta = (matrix[q * n + q] - matrix[p * n + p]) / (2.0 * element);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let cos = 1.0 / (t * t + 1.0).sqrt();
    let sin = t * cos;
    for k in 0..n {
        let (a, b) = (matrix[k * n + p], matrix[k * n + q]);
        matrix[k * n + p] = cos * a - sin * b;
        matrix[k * n + q] = sin * a + cos * b;
    }
    for k in 0..n {
        let (a, b) = (matrix[p * n + k], matrix[q * n + k]);
        matrix[p * n + k] = cos * a - sin * b;
        matrix[q * n + k] = sin * a + cos * b;
        let (a, b) = (vectors[k * n + p], vectors[k * n + q]);
        vectors[k * n + p] = cos * a - sin * b;
        vectors[k * n + q] = sin * a + cos * b;
    }
}

/// The lower triangle L of S = L Lᵀ.
fn cholesky(s: &[f64], n: usize) -> Vec<f64> {
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            let rest = s[i * n + j] - sum;
            l[i * n + j] = if i == j {
                rest.max(f64::MIN_POSITIVE).sqrt()
            } else {
                rest / l[j * n + j]
            };
        }
    }
    l
}

/// L⁻¹ M.
fn solve_columns(l: &[f64], m: &[f64], n: usize) -> Vec<f64> {
    let mut out = m.to_vec();
    for i in 0..n {
        for column in 0..n {
            for k in 0..i {
                out[i * n + column] -= l[i * n + k] * out[k * n + column];
            }
            out[i * n + column] /= l[i * n + i];
        }
    }
    out
}

fn transpose(m: &[f64], n: usize) -> Vec<f64> {
    (0..n * n).map(|k| m[k % n * n + k / n]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Oracle: the defining equations H c = ε S c and cᵀ S c = 1.
    #[test]
    fn eigenvectors_satisfy_their_equations() {
        let n = 5;
        let h: Vec<f64> = (0..n * n)
            .map(|k| {
                let (i, j) = ((k / n) as f64, (k % n) as f64);
                (i + j).sin() + if i == j { i } else { 0.0 }
            })
            .collect();
        let s: Vec<f64> = (0..n * n)
            .map(|k| 1.0 / (1.0 + (k / n) as f64 + (k % n) as f64) + f64::from(k / n == k % n))
            .collect();
        let apply = |m: &[f64], c: &[f64]| -> Vec<f64> {
            (0..n)
                .map(|i| (0..n).map(|j| m[i * n + j] * c[j]).sum())
                .collect()
        };
        let mut last = f64::NEG_INFINITY;
        for c in generalized_eigen(&h, &s, n) {
            let (hc, sc) = (apply(&h, &c), apply(&s, &c));
            let norm: f64 = c.iter().zip(&sc).map(|(a, b)| a * b).sum();
            let energy: f64 = c.iter().zip(&hc).map(|(a, b)| a * b).sum();
            assert!((norm - 1.0).abs() < 1e-12);
            assert!(energy >= last);
            last = energy;
            for (hc, sc) in hc.iter().zip(&sc) {
                assert!((hc - energy * sc).abs() < 1e-11);
            }
        }
    }
}
