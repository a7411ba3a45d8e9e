//! Cartesian positions, where a file has no others.

use super::{block::Block, error::parse_error, value::Value};
use crate::{CrystalError, Lattice, matrix};

/// From Cartesian to fractional positions.
pub(super) struct Cartesian {
    pub rotation: matrix::Matrix3,
    shift: [f64; 3],
}

impl Cartesian {
    /// The matrix that the block gives. Without one only the axes of a cell with right angles are
    /// certain: **a** along x, **b** along y, **c** along z.
    pub(super) fn of(block: &Block, lattice: &Lattice, line: usize) -> Result<Self, CrystalError> {
        for (stem, vector, inverse) in [
            (
                "_atom_sites_fract_tran_matrix_",
                "_atom_sites_fract_tran_vector_",
                false,
            ),
            (
                "_atom_sites_fract_transf_matrix",
                "_atom_sites_fract_transf_vector",
                false,
            ),
            (
                "_atom_sites_cartn_tran_matrix_",
                "_atom_sites_cartn_tran_vector_",
                true,
            ),
            (
                "_atom_sites_cartn_transf_matrix",
                "_atom_sites_cartn_transf_vector",
                true,
            ),
        ] {
            let bracketed = stem.ends_with('x');
            let tag = |i: usize, j: usize| {
                if bracketed {
                    format!("{stem}[{i}][{j}]")
                } else {
                    format!("{stem}{i}{j}")
                }
            };
            if block.item(&tag(1, 1))?.is_none() {
                continue;
            }
            let number = |tag: &str| match block.item(tag)? {
                Some(token) => Ok(Value::of(&token, tag)?.number),
                None => Err(parse_error(line, format!("{tag} is missing"))),
            };
            let mut rotation = [[0.0; 3]; 3];
            let mut shift = [0.0; 3];
            for (i, row) in rotation.iter_mut().enumerate() {
                for (j, entry) in row.iter_mut().enumerate() {
                    *entry = number(&tag(i + 1, j + 1))?;
                }
                let tag = if bracketed {
                    format!("{vector}[{}]", i + 1)
                } else {
                    format!("{vector}{}", i + 1)
                };
                if let Some(token) = block.item(&tag)? {
                    shift[i] = Value::of(&token, &tag)?.number;
                }
            }
            if inverse {
                // Columns of the matrix are the lattice vectors.
                let axes = Lattice::new(matrix::transpose(rotation))?;
                rotation = axes.reciprocal();
                shift = matrix::apply(rotation, shift).map(|x| -x);
            }
            let unit = matrix::determinant(rotation).abs() * lattice.volume();
            if unit.is_nan() || (unit - 1.0).abs() > 0.02 {
                let message = format!(
                    "the matrix {stem}.. has not the volume of the cell: {unit} cells, expected 1"
                );
                return Err(parse_error(line, message));
            }
            return Ok(Self { rotation, shift });
        }
        let lengths = lattice.lengths();
        if lattice
            .angles()
            .iter()
            .any(|angle| (angle - 90.0).abs() > 1e-6)
        {
            let message = "positions are Cartesian and the cell has not only right angles: \
                           expected _atom_site_fract_x, or _atom_sites_Cartn_tran_matrix_11 …";
            return Err(parse_error(line, message));
        }
        let [a, b, c] = lengths.map(|length| 1.0 / length);
        Ok(Self {
            rotation: [[a, 0.0, 0.0], [0.0, b, 0.0], [0.0, 0.0, c]],
            shift: [0.0; 3],
        })
    }

    pub(super) fn apply(&self, cart: [f64; 3]) -> [f64; 3] {
        matrix::add(matrix::apply(self.rotation, cart), self.shift)
    }
}
