//! What proposes fillings.

use crate::{Genes, SearchProblem};

/// Proposes fillings and hears how far from the goal they were.
pub trait Strategy {
    /// The filling to be tried next, one that the problem accepts; it may have been proposed before.
    /// `None` if there is none.
    fn propose(&mut self, problem: &SearchProblem) -> Option<Genes>;

    /// What came of a filling: its distance from the goal, `None` after a failure.
    fn learn(&mut self, genes: &Genes, distance: Option<f64>);
}
