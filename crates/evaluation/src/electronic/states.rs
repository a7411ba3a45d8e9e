//! The density of states on a dense mesh.

use crystalgym_crystal::Structure;
use crystalgym_dft::{
    BandOptions, Broadening, DensityOfStates, HARTREE_EV, KMesh, MeshBands, PlaneWaveBasis,
    ScfResult,
};

use super::{ElectronicError, GapEdges, dense_divisions};

/// What density of states is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct StatesOptions {
    /// Divisions of the mesh; if none, the even ones whose points are at most `spacing_per_ang` apart.
    pub k_mesh: Option<[u32; 3]>,
    /// Distance of neighbouring points along each reciprocal vector in Å⁻¹, 2π included.
    pub spacing_per_ang: f64,
    /// Step of the energies in eV.
    pub step_ev: f64,
    /// First and last energy in eV; if none, from below the lowest level to where the highest band begins.
    pub window_ev: Option<[f64; 2]>,
    /// Width of a Gaussian for each level in eV; linear tetrahedra if none.
    pub gaussian_ev: Option<f64>,
}

impl Default for StatesOptions {
    fn default() -> Self {
        Self {
            k_mesh: None,
            spacing_per_ang: super::DENSE_SPACING_PER_ANG,
            step_ev: 0.02,
            window_ev: None,
            gaussian_ev: None,
        }
    }
}

/// Widths of a Gaussian that a window reaches beyond the lowest level.
const WIDTHS: f64 = 5.0;
/// How far it does without.
const MARGIN_EV: f64 = 0.5;

/// Electronic states of both spins by their energy, in the potential of a converged density.
#[derive(Debug, Clone, PartialEq)]
pub struct StatesPerEv {
    /// Energies in eV, ascending.
    pub energies_ev: Vec<f64>,
    /// States per eV and cell at each of them.
    pub states_per_ev: Vec<f64>,
    /// Electrons in the cell that all states below would hold.
    pub electrons_below: Vec<f64>,
    /// Electrons in the cell.
    pub electrons: f64,
    /// Divisions of the mesh.
    pub k_mesh: [u32; 3],
    /// Its irreducible points.
    pub k_points: usize,
    /// The edges of filled and empty bands on the mesh; `None` for an odd number of electrons.
    pub edges: Option<GapEdges>,
    /// The top of the valence bands where there is a gap, else where the linear tetrahedra hold the
    /// electrons, in eV.
    pub fermi_ev: Option<f64>,
}

impl StatesPerEv {
    /// Of a structure (in Å) whose density is known.
    ///
    /// # Errors
    /// [`ElectronicError`].
    pub fn of(
        structure: &Structure,
        basis: &PlaneWaveBasis,
        result: &ScfResult,
        wanted: &StatesOptions,
        options: BandOptions<'_>,
    ) -> Result<Self, ElectronicError> {
        let k_mesh = wanted
            .k_mesh
            .unwrap_or_else(|| dense_divisions(&structure.lattice, wanted.spacing_per_ang));
        let bands = MeshBands::of(basis, result, KMesh::gamma_centred(k_mesh), options)?;
        let broadening = match wanted.gaussian_ev {
            None => Broadening::Tetrahedra,
            Some(width) => Broadening::Gaussian {
                width_ha: width / HARTREE_EV,
            },
        };
        let window_ev = wanted.window_ev.unwrap_or_else(|| {
            let margin = wanted.gaussian_ev.map_or(0.0, |width| WIDTHS * width) + MARGIN_EV;
            complete_window_ev(&bands, margin, wanted.step_ev)
        });
        let window_ha = window_ev.map(|ev| ev / HARTREE_EV);
        let found =
            DensityOfStates::of(&bands, window_ha, wanted.step_ev / HARTREE_EV, broadening)?;
        let edges = bands.band_edges();
        let in_ev: Vec<Vec<f64>> = (bands.energies_ha.iter())
            .map(|levels| levels.iter().map(|e| e * HARTREE_EV).collect())
            .collect();
        let levels = bands.k_points.iter().zip(&in_ev);
        let levels = levels.map(|(k, energies)| (k.frac, None, &energies[..]));
        Ok(Self {
            energies_ev: found.energies_ha.iter().map(|e| e * HARTREE_EV).collect(),
            states_per_ev: found.states_per_ha.iter().map(|g| g / HARTREE_EV).collect(),
            electrons_below: found.electrons_below,
            electrons: bands.electrons,
            k_mesh,
            k_points: bands.k_points.len(),
            edges: GapEdges::among(levels, bands.electrons).map(|edges| GapEdges {
                k_mesh: Some(k_mesh),
                ..edges
            }),
            fermi_ev: edges.map(|edges| edges.homo_ha * HARTREE_EV),
        })
    }

    /// What energies are measured from in plots, in eV.
    pub fn reference_ev(&self) -> f64 {
        self.fermi_ev.unwrap_or(0.0)
    }
}

/// From below the lowest level to the bottom of the highest band, above which levels are missing.
fn complete_window_ev(bands: &MeshBands, margin_ev: f64, step_ev: f64) -> [f64; 2] {
    let ends = |pick: fn(&[f64]) -> Option<f64>| {
        let at = bands.energies_ha.iter().filter_map(|levels| pick(levels));
        at.fold(f64::INFINITY, f64::min) * HARTREE_EV
    };
    let lowest = ends(|levels| levels.first().copied()) - margin_ev;
    let highest = ends(|levels| levels.last().copied());
    // On whole steps, so that windows of two crystals have energies in common.
    [(lowest / step_ev).floor() * step_ev, highest]
}
