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

impl XcPoint {
    /// The point, or zero.
    #[inline(always)]
    pub(super) fn only_if(self, condition: bool) -> Self {
        let choose = |x: f64| if condition { x } else { 0.0 };
        Self {
            energy: choose(self.energy),
            v_rho: choose(self.v_rho),
            v_sigma: choose(self.v_sigma),
        }
    }
}

impl std::ops::AddAssign for XcPoint {
    #[inline(always)]
    fn add_assign(&mut self, other: Self) {
        self.energy += other.energy;
        self.v_rho += other.v_rho;
        self.v_sigma += other.v_sigma;
    }
}
