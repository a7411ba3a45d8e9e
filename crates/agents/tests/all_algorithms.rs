//! Every algorithm: a seed gives the same run, whatever the speed of the calculator, and a run
//! that was stopped and resumed is the run that nobody disturbed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{fs, path::Path};

use common::{Record, delayed, drive, finish, rigid, short_run, small_network, task};
use crystalgym_agents::{
    Agent, AgentConfig, DqnConfig, GFlowNetConfig, GeneticConfig, LocalSearchConfig, PpoConfig,
    RandomSearchConfig, RelabelConfig, SacConfig, SurrogateConfig,
};
use crystalgym_environment::{ProcessName, RewardForm, TaskConfig};
use crystalgym_evaluation::Property;

fn relabel() -> RelabelConfig {
    RelabelConfig {
        copies: 2,
        order: true,
        symmetry: true,
        targets: Some([2.0, 6.0]),
    }
}

/// Each algorithm with as many of its options on as go together, for 400 steps.
fn algorithms() -> Vec<AgentConfig> {
    let DqnConfig {
        total_steps,
        environments,
        in_flight,
        learning_starts,
        batch_size,
        ..
    } = short_run();
    let rainbow = DqnConfig {
        prioritized: true,
        atoms: 11,
        noisy: true,
        dueling: true,
        relabel: relabel(),
        gradient_steps: 2,
        ..short_run()
    };
    let ppo = PpoConfig {
        total_steps,
        environments,
        in_flight,
        rollout_steps: 30,
        epochs: 2,
        network: small_network(8),
        ..PpoConfig::standard()
    };
    let stale = PpoConfig {
        total_steps,
        network: small_network(8),
        ..PpoConfig::paper(Property::Density)
    };
    let sac = SacConfig {
        total_steps,
        environments,
        in_flight,
        learning_starts,
        batch_size,
        relabel: relabel(),
        tune_temperature: true,
        q_clip: Some(0.5),
        network: small_network(8),
        ..SacConfig::standard()
    };
    let gflownet = GFlowNetConfig {
        total_steps,
        environments,
        in_flight,
        replay_trajectories: 50,
        relabel: relabel(),
        network: small_network(8),
        ..GFlowNetConfig::default()
    };
    let seed = 1;
    vec![
        AgentConfig::Dqn(short_run()),
        AgentConfig::Rainbow(rainbow),
        AgentConfig::Ppo(ppo),
        AgentConfig::Ppo(stale),
        AgentConfig::Sac(sac),
        AgentConfig::GFlowNet(gflownet),
        AgentConfig::Surrogate(SurrogateConfig {
            total_steps,
            environments,
            in_flight,
            candidates: 64,
            ..SurrogateConfig::default()
        }),
        AgentConfig::RandomSearch(RandomSearchConfig {
            total_steps,
            seed,
            environments,
            in_flight,
            ..RandomSearchConfig::default()
        }),
        AgentConfig::Genetic(GeneticConfig {
            total_steps,
            environments,
            in_flight,
            population: 10,
            ..GeneticConfig::default()
        }),
        AgentConfig::LocalSearch(LocalSearchConfig {
            total_steps,
            environments,
            in_flight,
            patience: 10,
            ..LocalSearchConfig::default()
        }),
    ]
}

fn mixed() -> TaskConfig {
    TaskConfig {
        skeletons: vec!["C2".into(), "C6".into()],
        ..TaskConfig::default()
    }
}

/// The same by substitution.
fn substituted() -> TaskConfig {
    TaskConfig {
        process: ProcessName::Substitution,
        ..mixed()
    }
}

/// In place, on sites that the agent chooses, for what a crystal got better.
fn improved() -> TaskConfig {
    TaskConfig {
        process: ProcessName::Improvement,
        reward_form: RewardForm::Difference,
        steps: Some(4),
        ..mixed()
    }
}

/// All files of a checkpoint with their bytes: networks, optimisers, buffers, generators, queues.
fn saved(agent: &Agent) -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    agent.save(folder.path()).unwrap();
    files(folder.path())
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Rewards at once and undisturbed; late, stopped and resumed; another seed.
fn a_seed_is_a_run(played: &TaskConfig) {
    let plays = |config: &AgentConfig| {
        let one_history = played.process != ProcessName::Improvement;
        one_history || !matches!(config, AgentConfig::GFlowNet(_))
    };
    for config in algorithms().into_iter().filter(plays) {
        let name = format!("{config:?} {played:?}");
        let mut whole_record = Record::default();
        let mut whole = Agent::new(&config, task(played.clone()), &rigid()).unwrap();
        finish(&mut whole, &mut whole_record);
        assert!(whole_record.episodes.len() > 80, "{name}");

        let folder = tempfile::tempdir().unwrap();
        let mut record = Record::default();
        let mut agent = Agent::new(&config, task(played.clone()), &delayed()).unwrap();
        // Before anything is learned, in the middle of episodes and rollouts, and near the end.
        for stop in [31, 158, 201, 333] {
            drive(&mut agent, &mut record, stop);
            agent.save(folder.path()).unwrap();
            agent = Agent::load(folder.path(), task(played.clone()), &delayed()).unwrap();
        }
        finish(&mut agent, &mut record);
        assert_eq!(record, whole_record, "{name}");
        assert!(saved(&agent) == saved(&whole), "{name}");

        // A run that is taken up after its end.
        whole.save(folder.path()).unwrap();
        let mut again = Agent::load(folder.path(), task(played.clone()), &rigid()).unwrap();
        finish(&mut again, &mut record);
        assert_eq!(record, whole_record, "{name}");
        assert!(saved(&again) == saved(&whole), "{name} after its end");

        let mut other = Record::default();
        let other_seed = config.clone().with_seed(7);
        let mut agent = Agent::new(&other_seed, task(played.clone()), &rigid()).unwrap();
        drive(&mut agent, &mut other, 100);
        let first = &whole_record.episodes[..other.episodes.len()];
        assert_ne!(first, other.episodes, "{name}");
    }
}

#[test]
fn a_seed_is_a_run_however_late_the_rewards_and_however_often_it_is_resumed() {
    a_seed_is_a_run(&mixed());
}

#[test]
fn a_seed_is_a_run_by_substitution() {
    a_seed_is_a_run(&substituted());
}

#[test]
fn a_seed_is_a_run_by_improvement() {
    a_seed_is_a_run(&improved());
}

#[test]
fn checkpoints_of_other_tasks_are_refused() {
    for config in algorithms() {
        let folder = tempfile::tempdir().unwrap();
        let mut agent = Agent::new(&config, task(mixed()), &rigid()).unwrap();
        drive(&mut agent, &mut (), 100);
        agent.save(folder.path()).unwrap();
        let other_target = TaskConfig {
            target: 5.0,
            ..mixed()
        };
        for other in [other_target, substituted(), improved()] {
            let error = Agent::load(folder.path(), task(other), &rigid()).map(|_| ());
            let message = error.unwrap_err().to_string();
            assert!(message.contains("another task"), "{message}");
        }
    }
}

/// A checkpoint knows how long its episodes are and what they earn.
#[test]
fn checkpoints_of_other_episodes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = AgentConfig::Dqn(short_run());
    let mut agent = Agent::new(&config, task(improved()), &rigid()).unwrap();
    drive(&mut agent, &mut (), 100);
    agent.save(folder.path()).unwrap();
    let longer = TaskConfig {
        steps: None,
        ..improved()
    };
    let final_reward = TaskConfig {
        reward_form: RewardForm::Final,
        ..improved()
    };
    for (other, expected) in [
        (longer, "steps \"4\", not \"one for each site\""),
        (final_reward, "reward_form \"difference\", not \"final\""),
    ] {
        let error = Agent::load(folder.path(), task(other), &rigid()).map(|_| ());
        let message = error.unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}
