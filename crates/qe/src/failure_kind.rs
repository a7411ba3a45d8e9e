//! The ways in which a pw.x run can fail.

/// Why a pw.x run gave no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PwFailureKind {
    /// The SCF did not converge within its iterations.
    ScfNotConverged,
    /// "charge is wrong": fixed occupations do not fit the number of electrons.
    WrongCharge,
    /// The eigensolver or its linear algebra broke down.
    DiagonalizationFailed,
    /// Atoms on top of each other, or another geometry that pw.x refuses.
    BadGeometry,
    /// pw.x could not find or read a pseudopotential.
    MissingPseudopotential,
    /// Another error that pw.x itself reported.
    ProgramError,
    /// The command could not be started.
    ProgramNotFound,
    /// Ended by a signal.
    Killed,
    /// Ended without saying why, or for lack of memory.
    Crashed,
    /// The time limit was reached.
    TimeLimit,
    /// The caller asked to stop.
    Cancelled,
    /// The scratch folder is full or not writable.
    ScratchUnavailable,
    /// The output lacks what a finished calculation prints, or is far too long.
    UnreadableOutput,
}
