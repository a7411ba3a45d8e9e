//! The total energy by terms.

/// The total energy of the cell by terms, in hartree.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EnergyParts {
    /// Kinetic energy and the non-local pseudopotential together.
    pub kinetic_and_nonlocal_ha: f64,
    /// Local pseudopotential.
    pub local_ha: f64,
    /// Hartree energy.
    pub hartree_ha: f64,
    /// Exchange and correlation.
    pub xc_ha: f64,
    /// One-centre Hartree and exchange–correlation energies of PAW atoms.
    pub one_centre_ha: f64,
    /// Ions with each other.
    pub ewald_ha: f64,
    /// Smearing (−TS for Fermi–Dirac), 0 for fixed occupations.
    pub smearing_ha: f64,
}

impl EnergyParts {
    /// Their sum.
    pub fn total_ha(&self) -> f64 {
        self.kinetic_and_nonlocal_ha
            + self.local_ha
            + self.hartree_ha
            + self.xc_ha
            + self.one_centre_ha
            + self.ewald_ha
            + self.smearing_ha
    }
}
