//! The lowest weighted mean of energies at a given composition, by the simplex method.

/// Largest improvement in eV/atom that is none.
const SAME_ENERGY_EV: f64 = 1e-11;
/// Smallest pivot; compositions are of the order of one.
const SMALLEST_PIVOT: f64 = 1e-10;
/// Steps without improvement after which the rule that cannot run in circles takes over.
const PATIENCE: usize = 30;
/// Steps after which the search is given up.
const MOST_STEPS: usize = 20_000;

/// A point: fractions of the elements, which sum to one, and an energy in eV/atom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point<'a> {
    pub(crate) fractions: &'a [f64],
    pub(crate) energy_ev: f64,
}

/// Which points make a composition at the lowest energy, and how much of each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Optimum {
    pub(crate) energy_ev: f64,
    /// Index of a point and its weight; weights sum to one.
    pub(crate) parts: Vec<(usize, f64)>,
}

/// Minimises `Σ λⱼ εⱼ` over `λ ≥ 0` with `Σ λⱼ aⱼ = x`, where `start` holds one point for each element
/// that is that element alone. `None` if rounding defeats the search.
///
/// The primal simplex method (Dantzig 1947), each basis solved anew; the entering point is the one
/// with the lowest reduced energy, or, after [`PATIENCE`] steps in place, the first with a negative
/// one (Bland, Math. Oper. Res. 2, 103 (1977)), with which it cannot run in circles.
pub(crate) fn lowest_mean(x: &[f64], points: &[Point<'_>], start: &[usize]) -> Option<Optimum> {
    let mut basis = start.to_vec();
    let mut patience = PATIENCE;
    let mut last = f64::INFINITY;
    for _ in 0..MOST_STEPS {
        let columns: Vec<&[f64]> = basis.iter().map(|j| points[*j].fractions).collect();
        let inverse = inverse(&columns)?;
        // Rounding leaves a weight of zero a little below.
        let weights: Vec<f64> = inverse.iter().map(|row| dot(row, x).max(0.0)).collect();
        let energy: f64 = weights
            .iter()
            .zip(&basis)
            .map(|(weight, j)| weight * points[*j].energy_ev)
            .sum();
        patience = match energy < last - SAME_ENERGY_EV {
            true => PATIENCE,
            false => patience.saturating_sub(1),
        };
        last = energy;
        // Chemical potentials: the plane through the points of the basis.
        let potentials: Vec<f64> = (0..x.len())
            .map(|k| {
                let column = inverse.iter().zip(&basis);
                column.map(|(row, j)| row[k] * points[*j].energy_ev).sum()
            })
            .collect();
        let below = points.iter().enumerate().filter_map(|(j, point)| {
            let below = point.energy_ev - dot(&potentials, point.fractions);
            (below < -SAME_ENERGY_EV).then_some((j, below))
        });
        let entering = if patience > 0 {
            below.min_by(|a, b| a.1.total_cmp(&b.1))
        } else {
            below.min_by_key(|(j, _)| *j)
        };
        let Some((entering, _)) = entering else {
            let parts = basis
                .iter()
                .zip(&weights)
                .filter(|(_, weight)| **weight > 1e-12)
                .map(|(j, weight)| (*j, *weight))
                .collect();
            return Some(Optimum {
                energy_ev: energy,
                parts,
            });
        };
        let leaving = leaving(&inverse, &weights, &basis, points[entering], patience == 0)?;
        basis[leaving] = entering;
    }
    None
}

/// The place in the basis that reaches zero first as the entering point grows. Among equals the
/// largest pivot, which keeps the basis well conditioned, or by Bland's rule the first point.
fn leaving(
    inverse: &[Vec<f64>],
    weights: &[f64],
    basis: &[usize],
    entering: Point<'_>,
    bland: bool,
) -> Option<usize> {
    let candidates: Vec<(usize, f64, f64)> = inverse
        .iter()
        .enumerate()
        .map(|(place, row)| (place, dot(row, entering.fractions)))
        .filter(|(_, pivot)| *pivot > SMALLEST_PIVOT)
        .map(|(place, pivot)| (place, weights[place] / pivot, pivot))
        .collect();
    let least = candidates
        .iter()
        .map(|(_, ratio, _)| *ratio)
        .fold(f64::INFINITY, f64::min);
    let equals = candidates
        .iter()
        .filter(|(_, ratio, _)| *ratio <= least + 1e-13);
    let chosen = match bland {
        true => equals.min_by_key(|(place, ..)| basis[*place]),
        false => equals.max_by(|a, b| a.2.total_cmp(&b.2)),
    };
    chosen.map(|(place, ..)| *place)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Inverse of the matrix of these columns, by elimination with row pivots; `None` if they are
/// dependent.
fn inverse(columns: &[&[f64]]) -> Option<Vec<Vec<f64>>> {
    let n = columns.len();
    let mut rows: Vec<Vec<f64>> = (0..n)
        .map(|r| {
            let left = columns.iter().map(|column| column[r]);
            left.chain((0..n).map(|c| f64::from(u8::from(c == r))))
                .collect()
        })
        .collect();
    for k in 0..n {
        let pivot = (k..n).max_by(|a, b| rows[*a][k].abs().total_cmp(&rows[*b][k].abs()))?;
        if rows[pivot][k].abs() < SMALLEST_PIVOT {
            return None;
        }
        rows.swap(k, pivot);
        let scale = 1.0 / rows[k][k];
        for value in &mut rows[k] {
            *value *= scale;
        }
        let row = rows[k].clone();
        for (r, other) in rows.iter_mut().enumerate() {
            let factor = other[k];
            if r != k && factor != 0.0 {
                for (value, by) in other.iter_mut().zip(&row) {
                    *value -= factor * by;
                }
            }
        }
    }
    Some(rows.into_iter().map(|mut row| row.split_off(n)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: A at 0, B at 0, AB at −1, A₃B at −0.2 (above the line from A to AB, −0.5).
    #[test]
    fn a_binary_hull_by_hand() {
        let fractions = [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.75, 0.25], [0.5, 0.5]];
        let energies = [0.0, 0.0, -1.0, -0.2, 0.3];
        let points: Vec<Point<'_>> = fractions
            .iter()
            .zip(energies)
            .map(|(fractions, energy_ev)| Point {
                fractions,
                energy_ev,
            })
            .collect();
        let at = |x: f64| lowest_mean(&[x, 1.0 - x], &points, &[0, 1]).unwrap();
        let found = at(0.75);
        assert!((found.energy_ev + 0.5).abs() < 1e-14);
        assert_eq!(found.parts, [(0, 0.5), (2, 0.5)]);
        assert_eq!(at(0.5).parts, [(2, 1.0)]);
        assert!((at(0.2).energy_ev + 0.4).abs() < 1e-14);
    }

    /// Many points on one plane and many equal ones: any of them may be named, the energy is exact.
    #[test]
    fn ties_are_no_trouble() {
        let mut fractions = vec![
            vec![1.0, 0.0, 0.0],
            vec![0.0, 1.0, 0.0],
            vec![0.0, 0.0, 1.0],
        ];
        for i in 0..=6 {
            for j in 0..=6 - i {
                let k = 6 - i - j;
                let row = [i, j, k].map(|n| f64::from(n) / 6.0).to_vec();
                fractions.extend([row.clone(), row]);
            }
        }
        let points: Vec<Point<'_>> = fractions
            .iter()
            .map(|row| Point {
                fractions: row,
                energy_ev: -row[0] - 2.0 * row[1] - 3.0 * row[2],
            })
            .collect();
        for x in [[1.0, 1.0, 1.0], [0.1, 0.2, 0.7], [0.5, 0.25, 0.25]] {
            let sum: f64 = x.iter().sum();
            let x = x.map(|part| part / sum);
            let found = lowest_mean(&x, &points, &[0, 1, 2]).unwrap();
            let expected = -x[0] - 2.0 * x[1] - 3.0 * x[2];
            assert!((found.energy_ev - expected).abs() < 1e-13);
        }
    }
}
