//! The fewest strains whose responses, turned by the symmetry, tell all responses.

use super::{
    symmetric_matrix::has_pivots_above,
    tensors::{Matrix3, Matrix6, Vector6, add_outer, rotated, to_tensor, to_vector},
};

/// Two tensors are the same within this; rotations of crystals move them by much more or not at all.
const SAME: f64 = 1e-6;
/// Least pivot of the sum of mean `(R e)(R e)ᵀ` of strains that span all: far above rounding, and
/// small enough for crystals that stand askew.
const SPANNING: f64 = 1e-3;

struct Candidate {
    strain: Matrix3,
    /// Mean of `(R e)(R e)ᵀ` over the rotations.
    spread: Matrix6,
    /// Number of linearly independent images.
    dimension: usize,
    /// Share of the k-points that the strained cell's symmetry leaves.
    cost: f64,
}

/// The fewest strains whose images under the rotations (Cartesian, a group) span all strains; of
/// equally many those that need the fewest k-points. In each xx, yy or zz is 1, or yz, xz or xy is
/// √½; or ±1 times two of these.
///
/// The space of strains falls into irreducible representations of the group, and n strains reach
/// n·d copies of one of dimension d at most (n of those whose two dimensions are a pair of complex
/// conjugates). So one strain is enough for the cubic groups, two for the tetragonal, trigonal and
/// hexagonal ones, three for the orthorhombic, four for the monoclinic and six for the triclinic: as
/// many as there are invariant strains, so that each holds one, and none is ever turned into its own
/// negative, which would spare one of its two signs. These are the fewest calculations too.
pub fn fewest_strains(rotations: &[Matrix3]) -> Vec<Matrix3> {
    let candidates: Vec<Candidate> = directions()
        .into_iter()
        .map(|direction| Candidate::new(&direction, rotations))
        .collect();
    let most = (candidates.iter().map(|candidate| candidate.dimension))
        .max()
        .unwrap_or(1);
    let search = |count: usize| {
        let mut search = Search {
            candidates: &candidates,
            best: None,
            best_cost: f64::INFINITY,
        };
        search.extend(&mut Vec::with_capacity(count), count, 0, [[0.0; 6]; 6], 0.0);
        search.best
    };
    // The six unit strains span all: the search ends.
    let chosen = (6usize.div_ceil(most)..=6).find_map(search);
    let strain = |index: usize| candidates[index].strain;
    chosen.unwrap_or_default().into_iter().map(strain).collect()
}

/// The unit strains, their pairwise sums and differences.
fn directions() -> Vec<Vector6> {
    let unit = |m: usize| -> Vector6 { std::array::from_fn(|n| f64::from(u8::from(n == m))) };
    let mut directions: Vec<Vector6> = (0..6).map(unit).collect();
    for first in 0..6 {
        for second in first + 1..6 {
            for sign in [1.0, -1.0] {
                let mut direction = unit(first);
                direction[second] = sign;
                directions.push(direction);
            }
        }
    }
    directions
}

impl Candidate {
    fn new(direction: &Vector6, rotations: &[Matrix3]) -> Self {
        let strain = to_tensor(direction);
        let share = 1.0 / rotations.len() as f64;
        let mut spread = [[0.0; 6]; 6];
        let mut fixing = 0.0;
        for rotation in rotations {
            let image = to_vector(&rotated(&strain, rotation));
            add_outer(&mut spread, &image.map(|x| share * x), &image);
            if (image.iter().zip(direction)).all(|(a, b)| (a - b).abs() < SAME) {
                fixing += 1.0;
            }
        }
        Self {
            strain,
            spread,
            dimension: rank(spread),
            cost: 1.0 / fixing,
        }
    }
}

/// Number of linearly independent rows, by elimination with the largest pivot left.
fn rank(mut matrix: Matrix6) -> usize {
    for done in 0..6 {
        let remaining = (done..6).flat_map(|i| (done..6).map(move |j| (i, j)));
        let size = |&(i, j): &(usize, usize)| matrix[i][j].abs();
        let largest = remaining.max_by(|a, b| size(a).total_cmp(&size(b)));
        let Some((row, column)) = largest.filter(|place| size(place) > SAME) else {
            return done;
        };
        matrix.swap(done, row);
        for row in &mut matrix {
            row.swap(done, column);
        }
        let pivot = matrix[done];
        for row in &mut matrix[done + 1..] {
            let factor = row[done] / pivot[done];
            for (x, pivot) in row.iter_mut().zip(pivot) {
                *x -= factor * pivot;
            }
        }
    }
    6
}

/// The cheapest of all sets of a given number of candidates.
struct Search<'a> {
    candidates: &'a [Candidate],
    best: Option<Vec<usize>>,
    best_cost: f64,
}

impl Search<'_> {
    fn extend(
        &mut self,
        chosen: &mut Vec<usize>,
        count: usize,
        next: usize,
        spread: Matrix6,
        cost: f64,
    ) {
        let dimension = |&index: &usize| self.candidates[index].dimension;
        if chosen.len() == count {
            let reach: usize = chosen.iter().map(dimension).sum();
            if reach >= 6 && has_pivots_above(&spread, SPANNING) {
                self.best = Some(chosen.clone());
                self.best_cost = cost;
            }
            return;
        }
        for index in next..self.candidates.len() {
            let candidate = &self.candidates[index];
            let cost = cost + candidate.cost;
            // Costs are sums of simple fractions: of equal ones the first is kept.
            if cost > self.best_cost - SAME {
                continue;
            }
            let mut sum = spread;
            for (row, other) in sum.iter_mut().zip(&candidate.spread) {
                for (x, y) in row.iter_mut().zip(other) {
                    *x += y;
                }
            }
            chosen.push(index);
            self.extend(chosen, count, index + 1, sum, cost);
            chosen.pop();
        }
    }
}
