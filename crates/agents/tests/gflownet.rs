//! The GFlowNet against what can be enumerated: which crystals its policy makes how often, and how many it
//! finds.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{collections::HashMap, sync::Arc};

use common::{finish, rigid, small_network, task, two_sites};
use crystalgym_agents::{Agent, AgentConfig, GFlowNetConfig, PolicyMode, evaluate_policy};
use crystalgym_crystal::Element;
use crystalgym_environment::{ProcessName, Task, TaskConfig};

fn settings() -> GFlowNetConfig {
    GFlowNetConfig {
        total_steps: 2400,
        in_flight: 0,
        new_crystals: false,
        power: 4.0,
        least_weight: 1e-2,
        network: small_network(16),
        ..GFlowNetConfig::default()
    }
}

/// Weights of all fillings of two sites, over their sum.
fn expected(task: &Task, config: &GFlowNetConfig) -> HashMap<Vec<Element>, f64> {
    let n = task.elements().elements().len() as u8;
    let pairs = (0..n).flat_map(|a| (0..n).map(move |b| [a, b]));
    let reward = task.objective().reward();
    let weights: HashMap<Vec<Element>, f64> = pairs
        .map(|filling| {
            let crystal = task.crystal(0, &filling).unwrap();
            let density = crystal.rigid_density_g_cm3();
            let earned = reward.of_value(task.target(), density).max(0.0);
            let weight = earned.powf(config.power).max(config.least_weight);
            (crystal.elements().to_vec(), weight)
        })
        .collect();
    let sum: f64 = weights.values().sum();
    weights
        .into_iter()
        .map(|(filling, w)| (filling, w / sum))
        .collect()
}

/// Oracle: the weights of all fillings, by enumeration.
#[test]
fn crystals_are_drawn_in_proportion_to_their_weight() {
    let folder = tempfile::tempdir().unwrap();
    let task = task(two_sites(folder.path()));
    let config = settings();
    let expected = expected(&task, &config);
    let config = AgentConfig::GFlowNet(config);
    let mut agent = Agent::new(&config, Arc::clone(&task), &rigid()).unwrap();
    finish(&mut agent, &mut ());
    let mode = PolicyMode::Sampled { seed: 1 };
    let mut policy = agent.policy(&task, mode).unwrap();
    let count = 4000;
    let made = evaluate_policy(policy.as_mut(), &task, &rigid(), count, 1).unwrap();
    let mut counts: HashMap<Vec<Element>, f64> = HashMap::new();
    for rollout in &made {
        let elements = rollout.crystal.elements().to_vec();
        *counts.entry(elements).or_default() += 1.0 / count as f64;
    }
    // Total variation; 4000 draws of 16 kinds leave 0.02 by themselves.
    let off: f64 = expected
        .iter()
        .map(|(filling, p)| 0.5 * (p - counts.get(filling).unwrap_or(&0.0)).abs())
        .sum();
    let alike: f64 = expected
        .values()
        .map(|p| 0.5 * (p - 1.0 / expected.len() as f64).abs())
        .sum();
    assert!(
        off < 0.06 && alike > 0.4,
        "{off}, and {alike} if all were alike"
    );
}

#[test]
fn a_task_in_which_crystals_have_several_histories_is_refused() {
    let improvement = task(TaskConfig {
        process: ProcessName::Improvement,
        ..TaskConfig::default()
    });
    let config = AgentConfig::GFlowNet(settings());
    let error = Agent::new(&config, improvement, &rigid()).map(|_| ());
    let message = error.unwrap_err().to_string();
    assert!(message.contains("filling or substitution"), "{message}");
}
