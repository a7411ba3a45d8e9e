//! Every learning algorithm against optima found by enumeration.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{path::Path, sync::Arc};

use common::{elements, finish, rigid, small_network, task};
use crystalgym_agents::{
    Agent, AgentConfig, CriticCombination, DqnConfig, FindsConfig, PolicyMode, PpoConfig, Sac,
    SacConfig, evaluate_policy,
};
use crystalgym_environment::{State, Task, TaskConfig};
use crystalgym_evaluation::{Calculator, CancelToken, RigidCalculator};
use crystalgym_networks::GraphNetwork;
use rand::SeedableRng;
use rand_pcg::Pcg64;

/// The same two sites with the small set of elements.
fn two_sites(folder: &Path) -> TaskConfig {
    TaskConfig {
        elements: TaskConfig::default().elements,
        ..common::two_sites(folder)
    }
}

fn return_of(task: &Task, filling: &[u8]) -> f64 {
    let crystal = task.crystal(0, filling).unwrap();
    let outcome = RigidCalculator.evaluate(&crystal, task.property(), &CancelToken::default());
    let reward = task.objective().reward();
    reward.of_outcome(task.target(), &outcome)
}

/// Oracle: all 324 fillings of two sites with 18 elements. 1000 episodes, 5 seeds of 5.
#[test]
fn all_four_come_within_five_percent_of_the_optimum() {
    let folder = tempfile::tempdir().unwrap();
    let task = task(two_sites(folder.path()));
    let pairs = (0..18_u8).flat_map(|a| (0..18_u8).map(move |b| [a, b]));
    let best = pairs
        .map(|filling| return_of(&task, &filling))
        .fold(f64::NEG_INFINITY, f64::max);
    let total_steps = 2000;
    // Three steps, the standard, are the whole episode here, and its return would judge the first
    // action by random second ones.
    let algorithms = [
        AgentConfig::Dqn(DqnConfig {
            n_step: 1,
            gradient_steps: 3,
            network: small_network(16),
            ..DqnConfig::standard()
        }),
        AgentConfig::Rainbow(DqnConfig {
            n_step: 1,
            // Random actions for as many steps as in the standard run, which is twice as long.
            exploration_fraction: 0.4,
            network: small_network(16),
            ..DqnConfig::rainbow()
        }),
        AgentConfig::Ppo(PpoConfig {
            network: small_network(16),
            ..PpoConfig::standard()
        }),
        AgentConfig::Sac(SacConfig {
            n_step: 1,
            gradient_steps: 3,
            network: small_network(16),
            ..SacConfig::standard()
        }),
    ];
    for config in algorithms {
        let config = config.with_total_steps(total_steps);
        let greedy: Vec<f64> = (1..=5)
            .map(|seed| {
                let config = config.clone().with_seed(seed);
                let mut agent = Agent::new(&config, Arc::clone(&task), &rigid()).unwrap();
                finish(&mut agent, &mut ());
                let mut policy = agent.policy(&task, PolicyMode::Greedy).unwrap();
                let made = evaluate_policy(policy.as_mut(), &task, &rigid(), 8, 1).unwrap();
                made.iter().map(|rollout| rollout.reward).sum::<f64>() / 8.0 / best
            })
            .collect();
        assert!(
            greedy.iter().all(|share| *share >= 0.95),
            "{greedy:?} {config:?}"
        );
    }
}

/// The policy that a trained actor has in a state.
fn policy_of(agent: &Sac, task: &Task, state: &State) -> Vec<f64> {
    let seen = task.observe(state);
    let mut workspace = agent.actor().workspace(1).unwrap();
    let logits = agent.actor().forward(&[seen], &mut workspace).unwrap();
    boltzmann(
        &logits.iter().map(|z| f64::from(*z)).collect::<Vec<_>>(),
        1.0,
    )
}

/// `π ∝ exp(q/α)`.
fn boltzmann(q: &[f64], temperature: f64) -> Vec<f64> {
    let powers: Vec<f64> = q.iter().map(|q| (q / temperature).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Oracle: the soft optimum of the maximum-entropy problem by recursion over all 16 fillings of two
/// sites with four elements, `V(s) = α ln Σ_a exp(Q(s, a)/α)` and `π = exp((Q − V)/α)` (Haarnoja et
/// al. 2017, equations 4 to 6). The original form of the algorithm must find it.
#[test]
fn the_original_sac_finds_the_soft_optimum() {
    let folder = tempfile::tempdir().unwrap();
    let task = task(TaskConfig {
        elements: elements(&["Li", "Cl", "Br", "Cs"]),
        start_site: Some(0),
        ..two_sites(folder.path())
    });
    let alpha = 0.2;
    let config = SacConfig {
        total_steps: 6000,
        n_step: 1,
        critic_entropy: true,
        critics: CriticCombination::Min,
        temperature: alpha,
        temperature_end: alpha,
        // Its policy is a distribution over all crystals, and not the best of them alone.
        finds: FindsConfig::default(),
        network: small_network(16),
        ..SacConfig::standard()
    };
    let learner = Box::new(Sac::new(config, Arc::clone(&task)).unwrap());
    let mut agent = Agent::with_learner(learner, Arc::clone(&task), &rigid());
    finish(&mut agent, &mut ());

    let start = task.initial_state(&mut Pcg64::seed_from_u64(1));
    let seconds: Vec<State> = (0..4)
        .map(|action| {
            let mut state = start.clone();
            task.apply(&mut state, action).unwrap();
            state
        })
        .collect();
    let returns: Vec<Vec<f64>> = seconds
        .iter()
        .map(|second| {
            let last = (0..4).map(|action| {
                let mut state = second.clone();
                task.apply(&mut state, action).unwrap();
                return_of(&task, &state.node_types)
            });
            last.collect()
        })
        .collect();
    let values: Vec<f64> = returns
        .iter()
        .map(|q| alpha * q.iter().map(|q| (q / alpha).exp()).sum::<f64>().ln())
        .collect();

    let distance = |a: &[f64], b: &[f64]| -> f64 {
        0.5 * a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>()
    };
    let exact_first = boltzmann(&values, alpha);
    let first = policy_of(agent.learner(), &task, &start);
    let apart = distance(&first, &exact_first);
    assert!(apart < 0.1, "{first:?}, exact {exact_first:?}");
    let (mut expected, mut exact) = (0.0, 0.0);
    for (action, second) in seconds.iter().enumerate() {
        let exact_second = boltzmann(&returns[action], alpha);
        let second = policy_of(agent.learner(), &task, second);
        let apart = distance(&second, &exact_second);
        assert!(
            apart < 0.1,
            "after {action}: {second:?}, exact {exact_second:?}"
        );
        for (last, reward) in returns[action].iter().enumerate() {
            expected += first[action] * second[last] * reward;
            exact += exact_first[action] * exact_second[last] * reward;
        }
    }
    // The uniform policy's return is far from it, so that the comparison means something.
    let uniform = returns.iter().flatten().sum::<f64>() / 16.0;
    assert!(exact - uniform > 0.15, "{exact} {uniform}");
    assert!((expected - exact).abs() < 0.03, "{expected}, exact {exact}");
}
