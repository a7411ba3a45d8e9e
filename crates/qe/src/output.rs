//! What a pw.x run printed.

/// What a pw.x run printed; what it did not print is `None` or empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PwOutput {
    /// Version, such as `6.7MaX` or `7.3.1`.
    pub version: Option<String>,
    /// Number of valence electrons.
    pub electrons: Option<f64>,
    /// Number of Kohn–Sham states.
    pub bands: Option<u32>,
    /// Symmetry operations found.
    pub symmetry_operations: Option<u32>,
    /// Irreducible k-points.
    pub k_points: Option<u32>,
    /// The SCF cycles, in order.
    pub scf_cycles: Vec<ScfCycle>,
    /// The BFGS steps, in order.
    pub relax_steps: Vec<RelaxStep>,
    /// The first error box.
    pub error: Option<crate::ErrorBox>,
    /// Whether the program came to its regular end.
    pub job_done: bool,
    /// Wall time in seconds as pw.x prints it.
    pub wall_seconds: Option<f64>,
}

impl PwOutput {
    /// SCF iterations of all cycles.
    pub fn scf_iterations(&self) -> u32 {
        self.scf_cycles.iter().map(|cycle| cycle.iterations).sum()
    }
}

/// One self-consistent field and what pw.x computed after it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScfCycle {
    /// Iterations begun.
    pub iterations: u32,
    /// Whether it converged; `None` while pw.x has not said.
    pub converged: Option<bool>,
    /// Total energy in Ry (F = E − TS with smearing), the line marked `!`.
    pub total_energy_ry: Option<f64>,
    /// Highest occupied level on the mesh in eV.
    pub homo_ev: Option<f64>,
    /// Lowest unoccupied level on the mesh in eV.
    pub lumo_ev: Option<f64>,
    /// Fermi level in eV.
    pub fermi_ev: Option<f64>,
    /// Pressure in kbar.
    pub pressure_kbar: Option<f64>,
    /// Stress in Ry/bohr³, pw.x's sign: positive when the cell wants to expand.
    pub stress_ry_bohr3: Option<[[f64; 3]; 3]>,
    /// Force on each atom in Ry/bohr, Cartesian.
    pub forces_ry_bohr: Vec<[f64; 3]>,
}

/// The cell after a BFGS step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RelaxStep {
    /// Volume in bohr³.
    pub volume_bohr3: Option<f64>,
    /// Density in g/cm³.
    pub density_g_cm3: Option<f64>,
}
