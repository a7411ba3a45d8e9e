use std::fmt;

/// The numbers that a setting may have, both ends included; with their unit for messages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SettingRange {
    least: f64,
    most: f64,
    unit: &'static str,
}

impl SettingRange {
    /// Of a kinetic-energy cutoff of wave functions. Beyond these there is no calculation of a crystal.
    pub const CUTOFF_RY: Self = Self::new(1.0, 1000.0, "Ry");
    /// Of a cutoff of densities.
    pub const DENSITY_CUTOFF_RY: Self = Self::new(4.0, 10_000.0, "Ry");
    /// Of k-points per reciprocal atom.
    pub const KPPA: Self = Self::new(1e-3, 1e5, "points per reciprocal atom");
    /// Of the width of a smearing: 1 Ry is 158 000 K.
    pub const SMEARING_RY: Self = Self::new(1e-6, 1.0, "Ry");
    /// Of the error of an energy at which a loop stops; rounding is above the least.
    pub const CONVERGENCE_RY: Self = Self::new(1e-15, 0.1, "Ry");
    /// Of a number of iterations.
    pub const ITERATIONS: Self = Self::new(1.0, 10_000.0, "iterations");
    /// Of a wall time; 1e8 s are three years.
    pub const TIME_SECONDS: Self = Self::new(1e-9, 1e8, "s");
    /// Of a mixing factor.
    pub const MIXING: Self = Self::new(1e-4, 1.0, "(a share)");

    /// From `least` to `most`.
    pub const fn new(least: f64, most: f64, unit: &'static str) -> Self {
        Self { least, most, unit }
    }

    /// Whether a number lies in it; NaN never does.
    pub fn contains(&self, value: f64) -> bool {
        value >= self.least && value <= self.most
    }
}

impl fmt::Display for SettingRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { least, most, unit } = self;
        write!(f, "a number from {least} to {most} {unit}")
    }
}
