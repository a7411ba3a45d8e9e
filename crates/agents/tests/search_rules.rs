//! Searches that are told of chemistry propose nothing that the rule forbids.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use common::{elements, finish, task};
use crystalgym_agents::{
    Agent, AgentConfig, ChemistryRule, Evaluator, GeneticConfig, LocalSearchConfig, Observer,
    RandomSearchConfig,
};
use crystalgym_environment::{FinishedEpisode, TaskConfig};
use crystalgym_evaluation::{EmpiricalCalculator, Property};

/// Elements with one common charge each, and their protons.
const IONS: [(&str, u32, i32); 4] = [("Na", 11, 1), ("Ca", 20, 2), ("O", 8, -2), ("F", 9, -1)];

const POPULATION: usize = 5;

fn searches(rule: ChemistryRule) -> [AgentConfig; 3] {
    let total_steps = 4 * 40;
    let environments = 1;
    [
        AgentConfig::RandomSearch(RandomSearchConfig {
            total_steps,
            environments,
            rule,
            ..RandomSearchConfig::default()
        }),
        AgentConfig::Genetic(GeneticConfig {
            total_steps,
            environments,
            rule,
            population: POPULATION,
            ..GeneticConfig::default()
        }),
        AgentConfig::LocalSearch(LocalSearchConfig {
            total_steps,
            environments,
            rule,
            ..LocalSearchConfig::default()
        }),
    ]
}

fn sites(symbols: &[&str], property: Property) -> TaskConfig {
    TaskConfig {
        skeletons: vec!["C6".into()],
        elements: elements(symbols),
        property,
        target: 2.0,
        ..TaskConfig::default()
    }
}

/// Protons and charge of each crystal.
#[derive(Default)]
struct Counts(Vec<(u32, i32)>);

impl Observer for Counts {
    fn episode_finished(&mut self, _step: u64, episode: &FinishedEpisode) {
        let of = |symbol: &str| IONS.iter().find(|ion| ion.0 == symbol).unwrap();
        let ions = || episode.crystal.elements().iter().map(|e| of(e.symbol()));
        let protons = ions().map(|ion| ion.1).sum();
        self.0.push((protons, ions().map(|ion| ion.2).sum()));
    }
}

fn counts(search: &AgentConfig, of: TaskConfig) -> Counts {
    let textbook = Evaluator {
        calculator: Arc::new(EmpiricalCalculator),
        store: None,
        workers: 1,
        screening: None,
    };
    let mut agent = Agent::new(search, task(of), &textbook).unwrap();
    let mut counts = Counts::default();
    finish(&mut agent, &mut counts);
    counts
}

/// Oracle: protons and charges counted here. Charges are asked of the first crystals alone.
#[test]
fn searches_keep_to_the_rule_of_chemistry() {
    let symbols = IONS.map(|ion| ion.0);
    for rule in [
        ChemistryRule::None,
        ChemistryRule::Parity,
        ChemistryRule::ChargeBalance,
    ] {
        for search in searches(rule) {
            let Counts(counts) = counts(&search, sites(&symbols, Property::BandGap));
            let odd = counts.iter().filter(|(protons, _)| protons % 2 == 1);
            let begun = match search {
                AgentConfig::LocalSearch(_) => 1,
                _ => POPULATION,
            };
            let charged = counts[..begun]
                .iter()
                .filter(|(_, charge)| *charge != 0)
                .count();
            match rule {
                ChemistryRule::None => assert!(odd.count() > 5),
                ChemistryRule::Parity => assert_eq!(odd.count(), 0),
                ChemistryRule::ChargeBalance => assert_eq!((odd.count(), charged), (0, 0)),
            }
        }
    }
}

/// Bands need not be filled for a density.
#[test]
fn a_density_knows_no_odd_electrons() {
    let [random, ..] = searches(ChemistryRule::ChargeBalance);
    let Counts(counts) = counts(&random, sites(&["Na", "Ca", "F"], Property::Density));
    assert!(counts.iter().any(|(protons, _)| protons % 2 == 1));
}

/// Where nothing is allowed, a search goes on with what there is.
#[test]
fn a_rule_that_leaves_nothing_does_not_hang() {
    for search in searches(ChemistryRule::ChargeBalance) {
        let mut of = sites(&["Na"], Property::BandGap);
        of.skeletons = vec!["C2".into()];
        let Counts(counts) = counts(&search, of);
        assert!(counts.len() >= 30 && counts.iter().all(|(protons, _)| *protons == 55));
    }
}
