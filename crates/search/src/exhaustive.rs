//! Every filling once, in the order of the choices.

use crystalgym_evaluation::Outcome;

use crate::{Genes, SearchProblem, strategy::Strategy};

/// Every filling of a list.
pub(crate) struct Exhaustive {
    left: std::vec::IntoIter<Genes>,
}

impl Exhaustive {
    pub(crate) fn new(fillings: Vec<Genes>) -> Self {
        Self {
            left: fillings.into_iter(),
        }
    }
}

impl Strategy for Exhaustive {
    fn propose(&mut self, _problem: &SearchProblem) -> Option<Genes> {
        self.left.next()
    }

    fn learn(&mut self, _problem: &SearchProblem, _genes: &Genes, _outcome: &Outcome) {}
}
