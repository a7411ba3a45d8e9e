//! What a potential is asked and what it answers.

use crystalgym_crystal::Structure;

use crate::PotentialError;

/// What is to be computed beside the energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Nothing.
    Energy,
    /// Forces and stress.
    Derivatives,
}

/// What a potential says of a structure.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Energy of the cell in eV.
    pub energy_ev: f64,
    /// Force on each site, `−∂E/∂x`, in eV/Å; empty if not asked for.
    pub forces_ev_ang: Vec<[f64; 3]>,
    /// Stress `(1/V) ∂E/∂η` in GPa for lattice rows `L → L (1 + η)` at fixed fractional positions;
    /// negative where the crystal wants to expand. Zero if not asked for.
    pub stress_gpa: [[f64; 3]; 3],
    /// Energy of each site in eV, their sum the energy, where the potential has site energies.
    pub site_energies_ev: Option<Vec<f64>>,
    /// Size of the magnetic moment of each site in Bohr magnetons, where the potential knows it.
    pub magnetic_moments: Option<Vec<f64>>,
    /// Learned features of each site, where the potential has them.
    pub features: Option<SiteFeatures>,
}

/// Learned features of sites, one row of `width` a site.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteFeatures {
    /// Number of features of a site.
    pub width: usize,
    /// Before the last convolution.
    pub before_readout: Vec<f32>,
    /// What the energy is read from: after the last convolution and its norm. The sum over sites is
    /// the feature of the crystal.
    pub after_readout: Vec<f32>,
}

/// An interatomic potential: a function of lattice, elements and positions, smooth in the last two.
pub trait InteratomicPotential: Send + Sync {
    /// Name with the version, the same for the same function.
    fn name(&self) -> &str;

    /// All that its energies depend on, such as the name and a checksum of the weights: two potentials
    /// with the same identity give the same energies.
    fn identity(&self) -> String {
        self.name().to_owned()
    }

    /// Energy of a structure and, on request, its derivatives.
    ///
    /// # Errors
    /// [`PotentialError`] for a structure that the potential does not cover.
    fn evaluate(
        &self,
        structure: &Structure,
        request: Request,
    ) -> Result<Prediction, PotentialError>;
}
