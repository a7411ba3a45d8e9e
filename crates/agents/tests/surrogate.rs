//! The agent that models the property: what it finds, in how many calculations, and what its policy
//! does from any start, for other targets and on skeletons that it never saw.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{collections::BTreeSet, sync::Arc};

use common::{finish, rigid, task};
use crystalgym_agents::{
    Acquisition, Agent, AgentConfig, AgentError, ChemistryRule, Observer, PolicyMode,
    RandomSearchConfig, SurrogateConfig, evaluate_policy,
};
use crystalgym_crystal::Element;
use crystalgym_environment::{FinishedEpisode, Observation, ProcessName, Task, TaskConfig};
use crystalgym_evaluation::Property;
use rand::SeedableRng;
use rand_pcg::Pcg64;

fn config(acquisition: Acquisition) -> AgentConfig {
    AgentConfig::Surrogate(SurrogateConfig {
        total_steps: 40 * 5,
        candidates: 512,
        acquisition,
        ..SurrogateConfig::default()
    })
}

fn dense(label: &str, target: f64) -> TaskConfig {
    TaskConfig {
        skeletons: vec![label.into()],
        target,
        ..TaskConfig::default()
    }
}

/// The crystals in canonical form, and how many of them it took to come so close to the best reward.
#[derive(Default)]
struct Found {
    crystals: Vec<Vec<Element>>,
    rewards: Vec<f64>,
}

impl Observer for Found {
    fn episode_finished(&mut self, _step: u64, episode: &FinishedEpisode) {
        self.crystals
            .push(episode.crystal.canonical().elements().to_vec());
        self.rewards.push(episode.reward);
    }
}

fn mean_greedy(agent: &Agent, task: &Arc<Task>) -> f64 {
    let mut policy = agent.policy(task, PolicyMode::Greedy).unwrap();
    let rollouts = evaluate_policy(policy.as_mut(), task, &rigid(), 8, 77).unwrap();
    rollouts.iter().map(|rollout| rollout.reward).sum::<f64>() / 8.0
}

/// Forty calculations of 36 000 to 400 000 fillings: no crystal twice, one that is worth more than
/// 0.99, and a policy that comes to it from every start, for another target as well, and on skeletons
/// that it never saw.
#[test]
fn a_property_is_learned_and_used_everywhere() {
    for acquisition in [
        Acquisition::Hit,
        Acquisition::Improvement,
        Acquisition::Thompson,
    ] {
        let played = task(dense("C2", 5.0));
        let mut agent = Agent::new(&config(acquisition), Arc::clone(&played), &rigid()).unwrap();
        let mut found = Found::default();
        finish(&mut agent, &mut found);
        let different: BTreeSet<_> = found.crystals.iter().collect();
        assert_eq!(
            (different.len(), found.crystals.len()),
            (40, 40),
            "{acquisition:?}"
        );
        let best = found.rewards.iter().copied().fold(-1.0, f64::max);
        assert!(best > 0.99, "{acquisition:?}: {best}");
        assert!(
            mean_greedy(&agent, &played) >= best - 1e-12,
            "{acquisition:?}"
        );
        let mean = mean_greedy(&agent, &task(dense("C2", 3.0)));
        assert!(mean > 0.95, "{acquisition:?}: {mean}");
    }
}

/// Trained on three skeletons, for crystals on others of which it has seen no calculation. Oracle of
/// what that is worth: random crystals.
#[test]
fn skeletons_that_it_never_saw() {
    let played = task(TaskConfig {
        skeletons: ["C2", "C4", "C6"].map(Into::into).into(),
        ..dense("C2", 4.0)
    });
    let mut agent = Agent::new(&config(Acquisition::Hit), played, &rigid()).unwrap();
    finish(&mut agent, &mut ());
    let random = AgentConfig::RandomSearch(RandomSearchConfig {
        total_steps: 5,
        ..RandomSearchConfig::default()
    });
    let random = Agent::new(&random, task(dense("C4", 4.0)), &rigid()).unwrap();
    // The volumes of C1 and C5 lie among those that it has seen, that of C7 does not.
    for (label, target, least) in [("C1", 5.0, 0.85), ("C5", 3.0, 0.85), ("C7", 4.0, 0.0)] {
        let unseen = task(dense(label, target));
        let (mean, of_random) = (mean_greedy(&agent, &unseen), mean_greedy(&random, &unseen));
        assert!(
            mean > least && mean > of_random + 0.1,
            "{label} {target}: {mean} {of_random}"
        );
    }
}

/// Two substitutions on sites that the agent chooses, from crystals that are not its own.
#[test]
fn what_an_episode_cannot_come_to_is_not_planned() {
    let played = task(TaskConfig {
        process: ProcessName::Improvement,
        steps: Some(2),
        ..dense("C2", 3.0)
    });
    let mut agent = Agent::new(&config(Acquisition::Hit), Arc::clone(&played), &rigid()).unwrap();
    let mut found = Found::default();
    finish(&mut agent, &mut found);
    assert!(found.crystals.len() >= 90);
    let mean = mean_greedy(&agent, &played);
    assert!(mean > 0.95, "{mean}");
}

/// Four substitutions, of which others have made the first two: what the sites hold and which is in focus
/// fits several orders of the sites, and the agent goes by the one that it is told. Oracle: the best of
/// all fillings of the two sites that are to come. Where nobody says which those are, it does not
/// guess.
#[test]
fn an_episode_is_joined_by_what_is_to_come() {
    let elements = ["Na", "Ca", "F"].map(|symbol| symbol.parse().unwrap());
    let played = task(TaskConfig {
        process: ProcessName::Substitution,
        steps: Some(4),
        elements: elements.to_vec(),
        ..dense("C2", 3.0)
    });
    // All crystals that there are, but for a few that it then knows well enough.
    let config = AgentConfig::Surrogate(SurrogateConfig {
        total_steps: 90 * 4,
        ..SurrogateConfig::default()
    });
    let mut agent = Agent::new(&config, Arc::clone(&played), &rigid()).unwrap();
    finish(&mut agent, &mut ());
    let reward = |node_types: &[u8]| {
        let crystal = played.crystal(0, node_types).unwrap();
        let density = crystal.structure().density_g_cm3();
        played.objective().reward().of_value(3.0, density)
    };
    let mut rng = Pcg64::seed_from_u64(3);
    let (mut played_to, mut best_of_all, mut untold) = (0.0, 0.0, 0);
    for _ in 0..16 {
        let mut state = played.initial_state(&mut rng);
        played.apply(&mut state, 1).unwrap();
        played.apply(&mut state, 2).unwrap();
        let seen = played.observe(&state);
        let order = seen.traversal.unwrap().order;
        let [third, fourth] = [2, 3].map(|step| usize::from(order[step]));
        let mut ends = state.node_types.clone();
        let mut best = -1.0_f64;
        for (one, other) in (0..3).flat_map(|one| (0..3).map(move |other| (one, other))) {
            ends[third] = one;
            ends[fourth] = other;
            best = best.max(reward(&ends));
        }
        let policy = || agent.policy(&played, PolicyMode::Greedy).unwrap();
        if played.only_start(&seen).is_none() {
            untold += 1;
            let seen = Observation {
                traversal: None,
                ..seen
            };
            let error = policy().act(&[seen]).unwrap_err();
            assert!(
                matches!(error, AgentError::UnknownStart { step: 2 }),
                "{error}"
            );
        }
        let mut policy = policy();
        while !played.is_terminal(&state) {
            let action = policy.act(&[played.observe(&state)]).unwrap()[0];
            played.apply(&mut state, action.into()).unwrap();
        }
        played_to += reward(&state.node_types) / 16.0;
        best_of_all += best / 16.0;
    }
    assert!(untold > 4, "{untold}");
    assert!(
        best_of_all - played_to < 1e-12,
        "{played_to} of {best_of_all}"
    );
}

/// Of a property that needs filled bands, no crystal with an odd number of electrons is calculated,
/// unless the agent is told nothing.
#[test]
fn rules_of_chemistry() {
    let odd_ones = |rule| {
        let config = AgentConfig::Surrogate(SurrogateConfig {
            total_steps: 15 * 5,
            candidates: 64,
            rule,
            ..SurrogateConfig::default()
        });
        let gaps = task(TaskConfig {
            property: Property::BandGap,
            odd_electrons_fail_at_once: true,
            ..dense("C2", 3.0)
        });
        let mut agent = Agent::new(&config, gaps, &rigid()).unwrap();
        let mut found = Found::default();
        finish(&mut agent, &mut found);
        let odd = |elements: &&Vec<Element>| {
            let protons = elements.iter().map(|e| u32::from(e.atomic_number()));
            protons.sum::<u32>() % 2 == 1
        };
        found.crystals.iter().filter(odd).count()
    };
    assert_eq!(odd_ones(ChemistryRule::ChargeBalance), 0);
    assert_eq!(odd_ones(ChemistryRule::Parity), 0);
    assert!(odd_ones(ChemistryRule::None) > 0);
}
