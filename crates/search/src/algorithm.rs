//! Which filling is tried next, by name.

use std::str::FromStr;

use crate::{
    Goal, SearchError, SearchProblem, error::invalid, exhaustive::Exhaustive, genetic::Genetic,
    strategy::Strategy, surrogate::Surrogate,
};

/// Fillings up to which all are computed unless another algorithm is named.
pub(crate) const EXHAUSTIVE_UP_TO: usize = 200;

/// An algorithm by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SearchAlgorithm {
    /// All fillings if they are few, or else the search by a model.
    #[default]
    Auto,
    /// All fillings in the order of the choices.
    Exhaustive,
    /// A search by a model of the property.
    Surrogate,
    /// A genetic search.
    Genetic,
    /// Random trials.
    Random,
}

impl SearchAlgorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Auto,
        Self::Exhaustive,
        Self::Surrogate,
        Self::Genetic,
        Self::Random,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Exhaustive => "exhaustive",
            Self::Surrogate => "surrogate",
            Self::Genetic => "genetic",
            Self::Random => "random",
        }
    }
}

impl FromStr for SearchAlgorithm {
    type Err = SearchError;

    fn from_str(name: &str) -> Result<Self, SearchError> {
        let found = Self::ALL.into_iter().find(|known| known.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            invalid(
                "algorithm",
                format!("'{name}' is unknown, expected one of {names}"),
            )
        })
    }
}

/// The strategy of an algorithm for a problem, with what `Auto` came to. Another algorithm is put in
/// here.
///
/// # Errors
/// [`SearchError::Invalid`] where all fillings are wanted and they cannot be listed.
pub fn strategy(
    algorithm: SearchAlgorithm,
    problem: &SearchProblem,
    goal: Goal,
    seed: u64,
) -> Result<(SearchAlgorithm, Box<dyn Strategy>), SearchError> {
    let exhaustive = |fillings| -> (SearchAlgorithm, Box<dyn Strategy>) {
        (
            SearchAlgorithm::Exhaustive,
            Box::new(Exhaustive::new(fillings)),
        )
    };
    let surrogate = || -> Result<(SearchAlgorithm, Box<dyn Strategy>), SearchError> {
        let surrogate = Surrogate::new(problem, goal, seed)?;
        Ok((SearchAlgorithm::Surrogate, Box::new(surrogate)))
    };
    Ok(match algorithm {
        SearchAlgorithm::Auto => match problem.fillings()? {
            Some(fillings) if fillings.len() <= EXHAUSTIVE_UP_TO => exhaustive(fillings),
            _ => surrogate()?,
        },
        SearchAlgorithm::Exhaustive => match problem.fillings()? {
            Some(fillings) => exhaustive(fillings),
            None => {
                let message = format!(
                    "exhaustive: {} combinations are too many to list, expected surrogate, genetic or random",
                    problem.combinations()
                );
                return Err(invalid("algorithm", message));
            }
        },
        SearchAlgorithm::Surrogate => surrogate()?,
        SearchAlgorithm::Genetic => (algorithm, Box::new(Genetic::new(goal, seed))),
        SearchAlgorithm::Random => (algorithm, Box::new(Genetic::random(goal, seed))),
    })
}
