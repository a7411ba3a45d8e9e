//! How fast an agent learns to hit a density on a small skeleton, against the exact optimum.
//!
//! ```text
//! cargo run --release -p crystalgym-agents --example learning_curve -- [PRESET [TARGET [SEEDS [KEY=VALUE …]]]]
//! ```
//!
//! `PRESET` is `standard`, `paper` or `random`; `KEY=VALUE` changes a setting of it. Rewards are
//! the rigid density; no DFT is involved.
//! One row a seed: the mean return of the last 100 episodes and of 5 greedy rollouts, both as a
//! share of the best return that any composition has, and the episode from which on 100 episodes
//! had at least 0.95 of it.
#![allow(clippy::print_stdout, reason = "the table is the output")]

use std::{env, error::Error, sync::Arc, time::Instant};

use crystalgym_agents::{
    Agent, Dqn, DqnConfig, Evaluator, Observer, PUBLISHED_ROLLOUTS, PolicyMode, Progress,
    RandomSearch, RandomSearchConfig, evaluate_policy,
};
use crystalgym_crystal::Crystal;
use crystalgym_environment::{FinishedEpisode, Task, TaskConfig, reward};
use crystalgym_evaluation::{Calculator, CancelToken, Property, RigidCalculator};
use serde::{Serialize, de::DeserializeOwned};

const WINDOW: usize = 100;

#[derive(Default)]
struct Returns(Vec<f64>);

impl Observer for Returns {
    fn episode_finished(&mut self, _step: u64, episode: &FinishedEpisode) {
        self.0.push(episode.reward);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let argument = |index: usize, default: &str| {
        arguments
            .get(index)
            .cloned()
            .unwrap_or_else(|| default.to_owned())
    };
    let preset = argument(0, "standard");
    let target: f64 = argument(1, "3").parse()?;
    let seeds: u64 = argument(2, "5").parse()?;
    let changes = arguments.get(3..).unwrap_or_default();

    let task = Arc::new(Task::new(&TaskConfig {
        target,
        ..TaskConfig::default()
    })?);
    let evaluator = Evaluator {
        calculator: Arc::new(RigidCalculator),
        store: None,
        workers: 1,
    };
    let best = best_return(&task)?;
    println!("preset {preset}, density {target} g/cm3 on C2, best return {best:.6}");
    println!("seed  episodes  last-100/best  greedy/best  episodes-to-0.95  seconds");
    for seed in 1..=seeds {
        let started = Instant::now();
        let mut agent: Box<dyn Agent> = match preset.as_str() {
            "random" => {
                let config = RandomSearchConfig {
                    seed,
                    ..RandomSearchConfig::default()
                };
                let config = changed(&config, changes)?;
                Box::new(RandomSearch::new(config, Arc::clone(&task), &evaluator)?)
            }
            "paper" | "standard" => {
                let base = match preset.as_str() {
                    "paper" => DqnConfig::paper(Property::Density),
                    _ => DqnConfig::standard(),
                };
                let config = changed(&DqnConfig { seed, ..base }, changes)?;
                Box::new(Dqn::new(config, Arc::clone(&task), &evaluator)?)
            }
            other => {
                return Err(format!("preset '{other}': expected standard, paper or random").into());
            }
        };
        let mut returns = Returns::default();
        while agent.step(&mut returns)? == Progress::Continue {}
        let seconds = started.elapsed().as_secs_f64();

        let mut policy = agent.policy(&task, PolicyMode::Greedy)?;
        let rollouts =
            evaluate_policy(policy.as_mut(), &task, &evaluator, PUBLISHED_ROLLOUTS, 1000)?;
        let greedy =
            rollouts.iter().map(|rollout| rollout.reward).sum::<f64>() / rollouts.len() as f64;
        let means: Vec<f64> = returns
            .0
            .windows(WINDOW)
            .map(|window| window.iter().sum::<f64>() / WINDOW as f64 / best)
            .collect();
        let reached = means
            .iter()
            .position(|mean| *mean >= 0.95)
            .map_or_else(|| "-".to_owned(), |first| (first + WINDOW).to_string());
        println!(
            "{seed:4}  {:8}  {:13.4}  {:11.4}  {reached:>16}  {seconds:7.1}",
            returns.0.len(),
            means.last().copied().unwrap_or(f64::NAN),
            greedy / best,
        );
    }
    Ok(())
}

/// The best return of all fillings, by enumeration.
fn best_return(task: &Task) -> Result<f64, Box<dyn Error>> {
    let sites = task.skeletons()[0].sites();
    let actions = task.actions().len();
    // The density does not depend on the order of the sites: enumerate ascending fillings.
    let mut filling = vec![0_usize; sites];
    let mut best = f64::NEG_INFINITY;
    loop {
        let elements = filling
            .iter()
            .map(|&action| task.actions().elements()[action])
            .collect();
        let crystal = Crystal::new(Arc::clone(&task.skeletons()[0]), elements)?;
        let outcome = RigidCalculator.evaluate(&crystal, task.property(), &CancelToken::default());
        best = best.max(reward(task.property(), task.target(), &outcome));
        let Some(site) = filling.iter().rposition(|&action| action + 1 < actions) else {
            return Ok(best);
        };
        let next = filling[site] + 1;
        filling[site..].fill(next);
    }
}

/// A configuration with some `key=value` settings changed, the values in JSON.
fn changed<T: Serialize + DeserializeOwned>(
    config: &T,
    changes: &[String],
) -> Result<T, Box<dyn Error>> {
    let mut value = serde_json::to_value(config)?;
    for change in changes {
        let (key, text) = change
            .split_once('=')
            .ok_or(format!("'{change}' is no key=value"))?;
        value[key] = serde_json::from_str(text)?;
    }
    Ok(serde_json::from_value(value)?)
}
