//! Bands along the high-symmetry path.

use crystalgym_crystal::{KPath, KPathPoint, SYMMETRY_TOLERANCE_ANG, Structure};
use crystalgym_dft::{BandOptions, HARTREE_EV, PlaneWaveBasis, ScfResult, band_energies};

use super::{ElectronicError, GapEdges};

/// Bands along the high-symmetry path of a crystal, in the potential of its converged density.
#[derive(Debug, Clone, PartialEq)]
pub struct BandStructure {
    /// The kind of lattice whose path it is ([`KPath::lattice`]).
    pub lattice: &'static str,
    /// The k-points in their order along the path.
    pub points: Vec<KPathPoint>,
    /// Band energies at each point in eV, ascending.
    pub energies_ev: Vec<Vec<f64>>,
    /// Electrons in the cell.
    pub electrons: f64,
    /// Fermi level of the calculation that gave the density, in eV, for smeared occupations.
    pub fermi_ev: Option<f64>,
}

impl BandStructure {
    /// Of a structure (in Å) whose density is known, at k-points at most `spacing_per_ang` (Å⁻¹, 2π
    /// included) apart.
    ///
    /// # Errors
    /// [`ElectronicError`].
    pub fn of(
        structure: &Structure,
        basis: &PlaneWaveBasis,
        result: &ScfResult,
        spacing_per_ang: f64,
        options: BandOptions<'_>,
    ) -> Result<Self, ElectronicError> {
        let path = KPath::of(structure, SYMMETRY_TOLERANCE_ANG)?;
        let points = path.points(&structure.lattice, spacing_per_ang)?;
        let k_frac: Vec<[f64; 3]> = points.iter().map(|point| point.k_frac).collect();
        let energies_ha = band_energies(basis, result, &k_frac, options)?;
        let in_ev = |levels: Vec<f64>| levels.into_iter().map(|e| e * HARTREE_EV).collect();
        Ok(Self {
            lattice: path.lattice,
            points,
            energies_ev: energies_ha.into_iter().map(in_ev).collect(),
            electrons: basis.model().electron_count(),
            fermi_ev: result.fermi_level_ha.map(|level| level * HARTREE_EV),
        })
    }

    /// The band edges on the path; `None` for an odd number of electrons.
    pub fn edges(&self) -> Option<GapEdges> {
        let levels = self.points.iter().zip(&self.energies_ev);
        let levels = levels.map(|(point, energies)| (point.k_frac, point.label, &energies[..]));
        GapEdges::among(levels, self.electrons)
    }

    /// What energies are measured from: the top of the valence bands where there is a gap on the path, else
    /// the Fermi level, else the highest level that is filled there, in eV.
    pub fn reference_ev(&self) -> f64 {
        let edges = self.edges();
        let top = edges.as_ref().map(|edges| edges.valence.energy_ev);
        match edges {
            Some(edges) if edges.gap_ev() > 0.0 => edges.valence.energy_ev,
            _ => self.fermi_ev.or(top).unwrap_or(0.0),
        }
    }
}
