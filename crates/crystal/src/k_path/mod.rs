//! The high-symmetry path through the Brillouin zone of a structure.

mod special_points;

use std::f64::consts::TAU;

use crate::{
    CrystalError, Lattice, Structure,
    matrix::{Matrix3, apply, dot, inverse, multiply, subtract, transpose},
    niggli_reduce,
    symmetry::dataset,
};
use special_points::{Frame, Table};

/// Space groups whose standard setting is centred on the face across a, and not c.
const A_CENTRED: std::ops::RangeInclusive<i32> = 38..=41;
/// Points of a path never number more.
const MOST_POINTS: f64 = 1e5;

/// A point of high symmetry.
#[derive(Debug, Clone, PartialEq)]
pub struct SpecialPoint {
    /// Its name, such as `Γ` or `X1`.
    pub label: &'static str,
    /// In units of the reciprocal vectors of the structure's own lattice.
    pub k_frac: [f64; 3],
}

/// The high-symmetry path of a structure.
///
/// Points and paths are those of W. Setyawan and S. Curtarolo, Comput. Mater. Sci. 49, 299 (2010), for
/// cubic, tetragonal, orthorhombic, hexagonal and rhombohedral lattices, and of Y. Hinuma et al., Comput.
/// Mater. Sci. 128, 140 (2017), for primitive monoclinic ones. Centred monoclinic and triclinic ones get the
/// path of triclinic lattices, through the middles of the faces of the Brillouin zone. The lattice is that
/// of the crystal's primitive cell, whatever cell the structure lists.
#[derive(Debug, Clone, PartialEq)]
pub struct KPath {
    /// The kind of lattice by Setyawan and Curtarolo, such as `FCC` or `ORCF1`.
    pub lattice: &'static str,
    /// Parts without a jump, each from point to point.
    pub branches: Vec<Vec<SpecialPoint>>,
}

/// A point of a sampled path.
#[derive(Debug, Clone, PartialEq)]
pub struct KPathPoint {
    /// In units of the reciprocal vectors of the structure's lattice.
    pub k_frac: [f64; 3],
    /// Distance along the path in Å⁻¹, 2π included; jumps have no length.
    pub distance_per_ang: f64,
    /// Its name, at points of high symmetry.
    pub label: Option<&'static str>,
    /// Which part without a jump it belongs to.
    pub branch: usize,
}

impl KPath {
    /// The path of a structure by its space group, found within a tolerance in Å.
    ///
    /// # Errors
    /// [`CrystalError::Symmetry`] if the search for symmetry fails.
    pub fn of(structure: &Structure, tolerance_ang: f64) -> Result<Self, CrystalError> {
        let kinds: Vec<i32> = (structure.elements.iter())
            .map(|element| i32::from(element.atomic_number()))
            .collect();
        let found = dataset(
            &structure.lattice,
            &structure.frac_coords,
            &kinds,
            tolerance_ang,
        )?;
        let symbol: Vec<char> = found.pearson_symbol.chars().take(2).collect();
        let standard = Frame::new(transpose(found.std_linear_as_array()), &structure.lattice)?;
        let frame = match symbol[..] {
            ['o', 'S' | 'C' | 'A' | 'B'] if A_CENTRED.contains(&found.number) => {
                standard.with_axes([1, 2, 0])?
            }
            _ => standard,
        };
        let table = match symbol[..] {
            ['c', 'P'] => Table::cubic(),
            ['c', 'F'] => Table::face_centred_cubic(),
            ['c', 'I'] => Table::body_centred_cubic(),
            ['t', 'P'] => Table::tetragonal(),
            ['t', 'I'] => Table::body_centred_tetragonal(&frame),
            ['o', 'P'] => Table::orthorhombic(),
            ['o', 'F'] => {
                return Self::of_sorted(&frame, [0, 1, 2], Table::face_centred_orthorhombic);
            }
            ['o', 'I'] => {
                return Self::of_sorted(&frame, [0, 1, 2], Table::body_centred_orthorhombic);
            }
            ['o', _] => return Self::of_sorted(&frame, [0, 1], Table::base_centred_orthorhombic),
            ['h', 'P'] => Table::hexagonal(),
            ['h', 'R'] => {
                let frame = frame.rhombohedral()?;
                let table = Table::rhombohedral(&frame);
                return Self::in_frame(&frame, table);
            }
            ['m', 'P'] => {
                let frame = frame.reduced_in_plane()?;
                return Self::in_frame(&frame, Table::monoclinic());
            }
            _ => {
                let primitive = transpose(found.prim_std_linear_as_array());
                return Self::triclinic(primitive, &structure.lattice);
            }
        };
        Self::in_frame(&frame, table)
    }

    /// With the axes of these indices in ascending order of their length.
    fn of_sorted<const N: usize>(
        frame: &Frame,
        sorted: [usize; N],
        table: impl Fn(&Frame) -> Table,
    ) -> Result<Self, CrystalError> {
        let mut axes = [0, 1, 2];
        axes[..N].copy_from_slice(&sorted);
        axes[..N].sort_by(|&a, &b| frame.lengths[a].total_cmp(&frame.lengths[b]));
        let frame = frame.with_axes(axes)?;
        let table = table(&frame);
        Self::in_frame(&frame, table)
    }

    fn in_frame(frame: &Frame, table: Table) -> Result<Self, CrystalError> {
        // kᵢ of the frame is Σⱼ Tᵢⱼ kⱼ with the frame's vectors as rows of T A.
        Self::mapped(table, inverse(frame.transformation)?)
    }

    /// The middles of the faces around the reduced reciprocal vectors of the primitive cell.
    fn triclinic(primitive: Matrix3, lattice: &Lattice) -> Result<Self, CrystalError> {
        let cell = Lattice::new(multiply(primitive, lattice.vectors()))?;
        let size = cell.volume().cbrt();
        let reciprocal = Lattice::new(cell.reciprocal().map(|b| b.map(|x| x * size)))?;
        let (reduced, steps) = niggli_reduce(&reciprocal)?;
        let steps = steps.map(|row| row.map(f64::from));
        let is_acute = reduced.angles().iter().all(|&angle| angle < 90.0);
        Self::mapped(
            Table::triclinic(is_acute),
            multiply(inverse(primitive)?, steps),
        )
    }

    fn mapped(table: Table, to_structure: Matrix3) -> Result<Self, CrystalError> {
        let point = |label: &'static str| {
            let k = table.point(label).ok_or_else(|| {
                CrystalError::Symmetry(format!("the path of {} has no point {label}", table.name))
            })?;
            Ok(SpecialPoint {
                label,
                k_frac: apply(to_structure, k).map(|x| x + 0.0),
            })
        };
        let branches = table.path.split('|').map(|branch| {
            let labels = branch.split('-');
            labels.map(point).collect::<Result<_, CrystalError>>()
        });
        Ok(Self {
            lattice: table.name,
            branches: branches.collect::<Result<_, _>>()?,
        })
    }

    /// Points along the path, at most `spacing_per_ang` (2π included) apart, the special ones among them.
    ///
    /// # Errors
    /// [`CrystalError::InvalidSpacing`] if it isn't positive, or so small that there would be more than
    /// 100 000 points.
    pub fn points(
        &self,
        lattice: &Lattice,
        spacing_per_ang: f64,
    ) -> Result<Vec<KPathPoint>, CrystalError> {
        let reciprocal = transpose(lattice.reciprocal());
        let length = |from: &SpecialPoint, to: &SpecialPoint| {
            let step = apply(reciprocal, subtract(to.k_frac, from.k_frac));
            TAU * dot(step, step).sqrt()
        };
        let steps = |branch: &[SpecialPoint]| -> f64 {
            let pairs = branch.windows(2);
            pairs
                .map(|pair| (length(&pair[0], &pair[1]) / spacing_per_ang).ceil())
                .sum()
        };
        let count: f64 = self.branches.iter().map(|branch| steps(branch)).sum();
        if !(spacing_per_ang > 0.0 && count < MOST_POINTS) {
            return Err(CrystalError::InvalidSpacing { spacing_per_ang });
        }
        let mut points = Vec::new();
        let mut distance = 0.0;
        for (number, branch) in self.branches.iter().enumerate() {
            let special = |point: &SpecialPoint, distance_per_ang| KPathPoint {
                k_frac: point.k_frac,
                distance_per_ang,
                label: Some(point.label),
                branch: number,
            };
            points.extend(branch.first().map(|first| special(first, distance)));
            for pair in branch.windows(2) {
                let whole = length(&pair[0], &pair[1]);
                let steps = (whole / spacing_per_ang - 1e-9).ceil().max(1.0);
                for step in 1..steps as usize {
                    let share = step as f64 / steps;
                    points.push(KPathPoint {
                        k_frac: std::array::from_fn(|i| {
                            let (from, to) = (pair[0].k_frac[i], pair[1].k_frac[i]);
                            from + share * (to - from)
                        }),
                        distance_per_ang: distance + share * whole,
                        label: None,
                        branch: number,
                    });
                }
                distance += whole;
                points.push(special(&pair[1], distance));
            }
        }
        Ok(points)
    }
}

#[cfg(test)]
mod tests;
