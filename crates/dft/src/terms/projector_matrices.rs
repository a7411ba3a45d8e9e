//! One real symmetric matrix per atom, over the projectors of that atom.

use crate::linear_algebra::Scalar;

/// Couplings D_ij, overlaps q_ij or occupations ρ_ij of the projectors of all atoms.
///
/// Rows and columns are in the order of the atom's projectors (radial function, then m).
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ProjectorMatrices {
    sides: Vec<usize>,
    /// The matrices one after the other, each row by row.
    entries: Vec<f64>,
}

impl ProjectorMatrices {
    /// Zero matrices of the given sides.
    pub(crate) fn zeros(sides: Vec<usize>) -> Self {
        let count = sides.iter().map(|side| side * side).sum();
        Self {
            sides,
            entries: vec![0.0; count],
        }
    }

    /// Number of rows of each atom's matrix.
    pub(crate) fn sides(&self) -> &[usize] {
        &self.sides
    }

    /// All entries, one atom after the other.
    pub(crate) fn entries(&self) -> &[f64] {
        &self.entries
    }

    pub(crate) fn entries_mut(&mut self) -> &mut [f64] {
        &mut self.entries
    }

    /// Each atom's matrix, row by row.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &[f64]> {
        let mut first = 0;
        self.sides.iter().map(move |side| {
            let block = &self.entries[first..first + side * side];
            first += side * side;
            block
        })
    }

    /// Each atom's matrix, to be written.
    pub(crate) fn blocks_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        let mut rest = self.entries.as_mut_slice();
        self.sides.iter().map(move |side| {
            let (block, tail) = std::mem::take(&mut rest).split_at_mut(side * side);
            rest = tail;
            block
        })
    }

    /// The matrices of the given atoms, in their order.
    pub(crate) fn rearranged(&self, atoms: impl Iterator<Item = usize>) -> Self {
        let mut blocks = Self::default();
        for atom in atoms {
            blocks.sides.push(self.sides[atom]);
            blocks
                .entries
                .extend(self.blocks().nth(atom).unwrap_or(&[]));
        }
        blocks
    }

    /// `self += other`
    pub(crate) fn add(&mut self, other: &Self) {
        debug_assert_eq!(self.sides, other.sides);
        for (sum, value) in self.entries.iter_mut().zip(&other.entries) {
            *sum += value;
        }
    }

    /// `Σ_atoms Σ_ij A_ij B_ij`
    pub(crate) fn product(&self, other: &Self) -> f64 {
        debug_assert_eq!(self.sides, other.sides);
        let pairs = self.entries.iter().zip(&other.entries);
        pairs.map(|(a, b)| a * b).sum()
    }

    /// `M p` for a column-major block of projections.
    pub(crate) fn apply<S: Scalar>(&self, projections: &[S]) -> Vec<S> {
        let total: usize = self.sides.iter().sum();
        let mut result = vec![S::from_real(0.0); projections.len()];
        if total == 0 {
            return result;
        }
        for (p, out) in projections
            .chunks_exact(total)
            .zip(result.chunks_exact_mut(total))
        {
            let mut first = 0;
            for (&side, block) in self.sides.iter().zip(self.blocks()) {
                let p = &p[first..first + side];
                for (row, out) in block.chunks_exact(side.max(1)).zip(&mut out[first..]) {
                    let mut sum = S::from_real(0.0);
                    for (d, p) in row.iter().zip(p) {
                        sum += *p * *d;
                    }
                    *out = sum;
                }
                first += side;
            }
        }
        result
    }
}
