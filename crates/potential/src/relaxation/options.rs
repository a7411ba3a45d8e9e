//! What moves in a relaxation, how far and how long.

/// What may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Movable {
    /// Atoms in a fixed cell.
    Positions,
    /// Atoms and all of the cell but its orientation.
    PositionsAndCell,
    /// The volume alone: the shape of the cell and the fractional positions stay.
    Volume,
}

/// How far and by which rule a crystal is relaxed.
#[derive(Debug, Clone, PartialEq)]
pub struct RelaxationOptions {
    /// What may move.
    pub movable: Movable,
    /// Largest force on an atom that is none, in eV/Å.
    pub force_tolerance_ev_ang: f64,
    /// Largest entry of the stress that is none (of the pressure, for the volume alone), in GPa.
    pub stress_tolerance_gpa: f64,
    /// Most evaluations.
    pub max_evaluations: usize,
    /// Longest move of an atom, and of a lattice vector per atom, in one step, in Å.
    pub longest_step_ang: f64,
    /// Whether the space group of the start is kept.
    pub keep_symmetry: bool,
    /// What says whether a step went up or down.
    pub judge: StepJudge,
}

/// What says whether a step went up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepJudge {
    /// The energies at its ends; a rise of 2e-6 eV/atom may be rounding.
    Energy,
    /// The work of forces and stress along it, `½ (g + g′)·Δx`: of potentials whose energies jump where
    /// their derivatives are smooth, as those of plane waves within a fixed cutoff do when the cell
    /// changes.
    Work,
}

impl Default for RelaxationOptions {
    fn default() -> Self {
        Self {
            movable: Movable::PositionsAndCell,
            force_tolerance_ev_ang: 0.02,
            stress_tolerance_gpa: 0.1,
            max_evaluations: 300,
            longest_step_ang: 0.2,
            keep_symmetry: true,
            judge: StepJudge::Energy,
        }
    }
}
