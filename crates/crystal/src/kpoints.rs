use crate::Lattice;

/// Divisions of the k-mesh with about `kppa` points per reciprocal atom.
///
/// `dᵢ = ⌊max(m / lᵢ, 1)⌋` with `m = (n a b c)^(1/3)`, `n = kppa / sites`, as pymatgen's
/// `Kpoints.automatic_density`, its guard for cubes of whole numbers included: a `kppa` within 1 of
/// n³ is raised by 1 %, so that rounding never loses a division. Lengths in Å.
pub fn automatic_density(lattice: &Lattice, sites: usize, kppa: f64) -> [u32; 3] {
    let nearest_cube = (kppa.powf(1.0 / 3.0) + 0.5).floor().powi(3);
    let kppa = if (nearest_cube - kppa).abs() < 1.0 {
        kppa * 1.01
    } else {
        kppa
    };
    let lengths = lattice.lengths();
    // The power and not `cbrt`, which rounds the other way where a division is just reached.
    let multiplier = (kppa / sites as f64 * lengths[0] * lengths[1] * lengths[2]).powf(1.0 / 3.0);
    lengths.map(|length| (multiplier / length).max(1.0).floor() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: pymatgen, and the meshes of the published decks (4 atoms 6×6×6, 5 atoms 5×5×5).
    #[test]
    fn equal_lengths() {
        let lattice = Lattice::from_parameters([4.5; 3], [90.0; 3]).unwrap();
        for (sites, division) in [(1, 10), (2, 7), (3, 6), (4, 6), (5, 5), (8, 5)] {
            assert_eq!(
                automatic_density(&lattice, sites, 1000.0),
                [division; 3],
                "{sites} sites"
            );
        }
    }
}
