//! CIF in P 1, every number with the shortest text that reads back to the same bits.

use std::fmt::Write;

use crate::{Structure, matrix::determinant};

/// The structure as CIF.
///
/// A CIF has lengths and angles of the cell, which stand for a right-handed one. A left-handed cell
/// is written by its negative, `x → −x` with `a → −a`: the same crystal with the same parameters.
pub(in crate::io) fn write(structure: &Structure) -> String {
    let [a, b, c] = structure.lattice.lengths();
    let [alpha, beta, gamma] = structure.lattice.angles();
    let formula = structure.formula();
    let left_handed = determinant(structure.lattice.vectors()) < 0.0;
    let mut text = format!(
        "data_{formula}\n\
         _symmetry_space_group_name_H-M   'P 1'\n\
         _cell_length_a   {a}\n_cell_length_b   {b}\n_cell_length_c   {c}\n\
         _cell_angle_alpha   {alpha}\n_cell_angle_beta   {beta}\n_cell_angle_gamma   {gamma}\n\
         _symmetry_Int_Tables_number   1\n\
         _chemical_formula_structural   {formula}\n\
         _cell_volume   {}\n\
         loop_\n _symmetry_equiv_pos_site_id\n _symmetry_equiv_pos_as_xyz\n  1  'x, y, z'\n\
         loop_\n _atom_site_type_symbol\n _atom_site_label\n _atom_site_symmetry_multiplicity\n \
         _atom_site_fract_x\n _atom_site_fract_y\n _atom_site_fract_z\n _atom_site_occupancy\n",
        structure.lattice.volume()
    );
    let sites = structure.frac_coords.iter().zip(&structure.elements);
    for (site, (frac, element)) in sites.enumerate() {
        // No negative zero: the mirror of 0 is 0.
        let [x, y, z] = frac.map(|x| if left_handed { 0.0 - x } else { x });
        let _ = writeln!(text, "  {element}  {element}{site}  1  {x}  {y}  {z}  1");
    }
    text
}
