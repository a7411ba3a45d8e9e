/// How a self-consistency loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScfEnd {
    /// The estimated error fell below the limit.
    Converged,
    /// The largest number of iterations was reached.
    IterationLimit,
    /// The estimated error has not fallen for many iterations: it oscillates.
    Stagnated,
    /// The eigensolver broke down.
    DiagonalizationFailed,
    /// Somebody asked to stop.
    Cancelled,
}
