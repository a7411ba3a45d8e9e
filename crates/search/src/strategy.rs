//! What proposes fillings.

use crystalgym_evaluation::Outcome;

use crate::{Genes, SearchProblem};

/// Proposes fillings and hears how far from the goal they were.
pub trait Strategy {
    /// The filling to be tried next, one that the problem accepts; it may have been proposed before.
    /// `None` if there is none.
    fn propose(&mut self, problem: &SearchProblem) -> Option<Genes>;

    /// What came of a filling.
    fn learn(&mut self, problem: &SearchProblem, genes: &Genes, outcome: &Outcome);

    /// Proposals between two times that it learns; the same for any number of workers, so that a seed
    /// gives the same search.
    fn round(&self) -> usize {
        8
    }
}
