/// Energy per volume and its derivatives at one point.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct XcPoint {
    /// e(ρ, σ) in hartree/bohr³.
    pub energy: f64,
    /// ∂e/∂ρ in hartree.
    pub v_rho: f64,
    /// ∂e/∂σ in hartree·bohr⁵.
    pub v_sigma: f64,
}

impl std::ops::AddAssign for XcPoint {
    fn add_assign(&mut self, other: Self) {
        self.energy += other.energy;
        self.v_rho += other.v_rho;
        self.v_sigma += other.v_sigma;
    }
}
