//! Conversion constants, from CODATA 2018 as pw.x since 6.6 has them.

/// Bohr radius in Å.
pub const BOHR_ANG: f64 = 0.529_177_210_903;
/// Rydberg energy in eV.
pub const EV_PER_RY: f64 = 13.605_693_122_994;
/// One Ry/bohr³ in GPa.
pub const GPA_PER_RY_BOHR3: f64 = 14_710.507_848_260;

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the definition, with the elementary charge of the SI: 1 eV/Å³ = 160.2176634 GPa.
    #[test]
    fn pressure_follows_from_energy_and_length() {
        let expected = EV_PER_RY / BOHR_ANG.powi(3) * 160.217_663_4;
        assert!(
            (GPA_PER_RY_BOHR3 / expected - 1.0).abs() < 1e-10,
            "{expected}"
        );
    }
}
