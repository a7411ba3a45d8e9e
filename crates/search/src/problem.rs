//! What may stand on which site of a structure.

use std::{collections::HashSet, sync::Arc};

use crystalgym_crystal::{Crystal, Element, Skeleton};
use crystalgym_metrics::{Composition, OxidationStates, is_charge_balanced};

use crate::{SearchError, SiteChoice, error::invalid};

/// Fillings that can be counted and listed one by one.
const MOST_LISTED: u128 = 200_000;

/// Sites that hold the same element, and what it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Name that the sites were given by.
    pub name: String,
    /// The sites.
    pub sites: Vec<usize>,
    /// The elements.
    pub options: Vec<Element>,
}

/// The number of the option of each variable.
pub type Genes = Vec<u8>;

/// A structure, its sites whose elements are searched, and the elements that stay on the others.
#[derive(Debug, Clone)]
pub struct SearchProblem {
    skeleton: Arc<Skeleton>,
    given: Vec<Element>,
    variables: Vec<Variable>,
    charge_balanced: bool,
}

impl SearchProblem {
    /// The sites of a skeleton by names, each with its choice of elements. Sites of a name in `ties`
    /// are all alike, others are on their own; sites without a choice keep the element of the source
    /// material. With `charge_balanced` only fillings count whose common oxidation states can sum to
    /// zero ([`is_charge_balanced`]).
    ///
    /// # Errors
    /// [`SearchError`] for a name without sites, a site with two names, a tie without a choice, more
    /// than 255 elements on a site, and a skeleton whose own elements are not known.
    pub fn new(
        skeleton: Arc<Skeleton>,
        choices: &[SiteChoice],
        ties: &[String],
        charge_balanced: bool,
    ) -> Result<Self, SearchError> {
        let Some(given) = skeleton.source.elements.clone() else {
            let label = &skeleton.label;
            return Err(invalid(
                "sites",
                format!("the elements of {label} are not known"),
            ));
        };
        if choices.is_empty() {
            return Err(invalid(
                "sites",
                "no choice of elements, expected such as X=Cl,Br,I",
            ));
        }
        if let Some(tie) = ties
            .iter()
            .find(|tie| choices.iter().all(|c| c.name != **tie))
        {
            let names: Vec<&str> = choices.iter().map(|choice| choice.name.as_str()).collect();
            let message = format!(
                "{tie} has no choice of elements, expected {}",
                names.join(", ")
            );
            return Err(invalid("tie", message));
        }
        let mut owners: Vec<Option<&str>> = vec![None; skeleton.sites()];
        let mut variables = Vec::new();
        for SiteChoice { name, elements } in choices {
            let sites = skeleton.sites_named(name)?;
            for &site in &sites {
                if let Some(other) = owners[site].replace(name) {
                    let message = format!("site {site} is of {other} and of {name}, expected one");
                    return Err(invalid("sites", message));
                }
            }
            if elements.len() > usize::from(u8::MAX) {
                return Err(invalid(
                    "sites",
                    format!("{name} has more than 255 elements"),
                ));
            }
            let groups = match ties.contains(name) {
                true => vec![sites],
                false => sites.into_iter().map(|site| vec![site]).collect(),
            };
            variables.extend(groups.into_iter().map(|sites| Variable {
                name: name.clone(),
                sites,
                options: elements.clone(),
            }));
        }
        Ok(Self {
            skeleton,
            given,
            variables,
            charge_balanced,
        })
    }

    /// The structure's empty frame.
    pub fn skeleton(&self) -> &Arc<Skeleton> {
        &self.skeleton
    }

    /// Sites whose elements are searched.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Every element that may occur, sites that are not searched included, each once.
    pub fn elements(&self) -> Vec<Element> {
        let mut all = self.given.clone();
        for variable in &self.variables {
            for &site in &variable.sites {
                all[site] = variable.options[0];
            }
        }
        all.extend(
            self.variables
                .iter()
                .flat_map(|v| v.options.iter().copied()),
        );
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The product of all choices, alike by symmetry or not.
    pub fn combinations(&self) -> u128 {
        let options = self.variables.iter().map(|v| v.options.len() as u128);
        options.fold(1, u128::saturating_mul)
    }

    /// Elements of all sites.
    pub fn filling(&self, genes: &[u8]) -> Vec<Element> {
        let mut elements = self.given.clone();
        for (variable, &gene) in self.variables.iter().zip(genes) {
            for &site in &variable.sites {
                elements[site] = variable.options[usize::from(gene)];
            }
        }
        elements
    }

    /// The crystal of a filling.
    ///
    /// # Errors
    /// [`SearchError::Crystal`] if the skeleton has lost its sites.
    pub fn crystal(&self, genes: &[u8]) -> Result<Crystal, SearchError> {
        Ok(Crystal::new(
            Arc::clone(&self.skeleton),
            self.filling(genes),
        )?)
    }

    /// Whether a filling is to be looked at: charges balance, if they have to.
    pub fn accepts(&self, genes: &[u8]) -> bool {
        !self.charge_balanced || {
            let composition = Composition::of(&self.filling(genes));
            is_charge_balanced(&composition, &OxidationStates::default())
        }
    }

    /// The elements that a filling has in the first of all site orders that symmetry makes equal.
    ///
    /// # Errors
    /// As [`Self::crystal`].
    pub fn canonical(&self, genes: &[u8]) -> Result<Vec<Element>, SearchError> {
        Ok(self.crystal(genes)?.canonical().elements().to_vec())
    }

    /// Every filling that [`Self::accepts`] takes, one of those that symmetry makes equal, in the
    /// order of the choices; `None` if there are more than can be listed.
    ///
    /// # Errors
    /// As [`Self::crystal`].
    pub fn fillings(&self) -> Result<Option<Vec<Genes>>, SearchError> {
        if self.combinations() > MOST_LISTED {
            return Ok(None);
        }
        let mut genes: Genes = vec![0; self.variables.len()];
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
        loop {
            if self.accepts(&genes) && seen.insert(self.canonical(&genes)?) {
                found.push(genes.clone());
            }
            // The last variable counts fastest.
            let Some(next) = (0..genes.len())
                .rev()
                .find(|&v| usize::from(genes[v]) + 1 < self.variables[v].options.len())
            else {
                return Ok(Some(found));
            };
            genes[next] += 1;
            genes[next + 1..].fill(0);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crystalgym_crystal::{Lattice, SYMMETRY_TOLERANCE_ANG, Structure};

    use super::*;

    pub(crate) fn double_perovskite() -> Arc<Skeleton> {
        let half = 11.25 / 2.0;
        let lattice = Lattice::new([[0.0, half, half], [half, 0.0, half], [half, half, 0.0]]);
        let x = 0.251;
        let y = 1.0 - x;
        let sites: [(&str, [f64; 3]); 10] = [
            ("Cs", [0.25; 3]),
            ("Cs", [0.75; 3]),
            ("Ag", [0.5; 3]),
            ("Bi", [0.0; 3]),
            ("Br", [y, x, x]),
            ("Br", [x, y, y]),
            ("Br", [y, x, y]),
            ("Br", [x, y, x]),
            ("Br", [y, y, x]),
            ("Br", [x, x, y]),
        ];
        let structure = Structure::new(
            lattice.unwrap(),
            sites.iter().map(|(e, _)| e.parse().unwrap()).collect(),
            sites.iter().map(|(_, x)| *x).collect(),
        );
        let skeleton =
            Skeleton::from_structure("cabb", &structure.unwrap(), SYMMETRY_TOLERANCE_ANG);
        Arc::new(skeleton.unwrap())
    }

    fn problem(choices: &[&str], ties: &[&str], balanced: bool) -> Result<SearchProblem, String> {
        let choices: Vec<SiteChoice> = choices.iter().map(|c| c.parse().unwrap()).collect();
        let ties: Vec<String> = ties.iter().map(|&tie| tie.to_owned()).collect();
        SearchProblem::new(double_perovskite(), &choices, &ties, balanced)
            .map_err(|error| error.to_string())
    }

    /// Oracle: by hand. Two A sites that inversion exchanges give 3 of 4 pairs; 3 · 2 · 2 · 3.
    #[test]
    fn fillings_are_counted_up_to_symmetry() {
        let all = ["A=Cs,Rb", "B=Ag,Na", "B2=Bi,Sb", "X=Cl,Br,I"];
        let tied = problem(&all, &["X"], true).unwrap();
        assert_eq!(tied.combinations(), 48);
        let fillings = tied.fillings().unwrap().unwrap();
        assert_eq!(fillings.len(), 36);
        let first = tied.crystal(&fillings[0]).unwrap();
        assert_eq!(first.formula(), "Cs2AgBiCl6");
        let both = problem(&all, &["X", "A"], true).unwrap();
        assert_eq!(both.fillings().unwrap().unwrap().len(), 24);
        // Six X sites of an octahedron with two colours, B and B2 apart: 10 of 64.
        let octahedron = problem(&["X=Cl,Br"], &[], false).unwrap();
        assert_eq!(octahedron.fillings().unwrap().unwrap().len(), 10);
    }

    /// Oracle: by hand, Cs⁺ Ag⁺ Bi³⁺ Br⁻: a divalent metal on B needs another on B2.
    #[test]
    fn charges_balance_if_they_have_to() {
        let choices = ["B=Na,Mg", "B2=Sb,Mg"];
        let formulas = |balanced: bool| -> Vec<String> {
            let problem = problem(&choices, &[], balanced).unwrap();
            let fillings = problem.fillings().unwrap().unwrap();
            let formula = |genes: &Genes| problem.crystal(genes).unwrap().formula();
            fillings.iter().map(formula).collect()
        };
        assert_eq!(formulas(false).len(), 4);
        assert_eq!(formulas(true), ["Cs2NaSbBr6", "CsMgBr3"]);
    }

    #[test]
    fn what_cannot_be_searched_is_named() {
        let error = |choices: &[&str], ties: &[&str]| problem(choices, ties, false).unwrap_err();
        assert!(error(&["K=Cs"], &[]).contains("no site 'K'"));
        assert!(error(&["A=Cs,Rb", "0=Cs"], &[]).contains("site 0 is of A and of 0"));
        assert!(error(&["A=Cs,Rb"], &["X"]).contains("X has no choice of elements, expected A"));
        assert!(error(&[], &[]).contains("expected such as"));
    }
}
