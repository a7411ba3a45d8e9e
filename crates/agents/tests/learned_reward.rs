//! Agents on a learned reward: the same run for any timing, threads and stops; what is predicted is never
//! taken for what was calculated.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{fmt::Write as _, fs, path::Path, sync::Arc};

use common::{delayed, drive, finish, rigid, short_run, task};
use crystalgym_agents::{
    Agent, AgentConfig, AgentError, DqnConfig, Evaluator, FineTuning, GeneticConfig,
    LearnedEpisode, LearnedReward, LearnedRewardConfig, Observer,
};
use crystalgym_conservative::ObjectiveModelConfig;
use crystalgym_environment::{Appraisal, RewardForm, Task, TaskConfig};
use crystalgym_evaluation::{EmpiricalCalculator, Property};

fn c4(property: Property, target: f64) -> TaskConfig {
    TaskConfig {
        skeletons: vec!["C4".into()],
        elements: ["H", "Li", "Na", "Cl", "Ca", "Br"]
            .map(|e| e.parse().unwrap())
            .into(),
        property,
        target,
        ..TaskConfig::default()
    }
}

fn densities() -> Arc<Task> {
    task(c4(Property::Density, 2.0))
}

/// Networks of next to nothing.
fn small(base: ObjectiveModelConfig) -> ObjectiveModelConfig {
    ObjectiveModelConfig {
        hidden: 4,
        blocks: 1,
        ascent_steps: 2,
        epochs: 2,
        batch_size: 8,
        ..base
    }
}

fn paper() -> LearnedRewardConfig {
    LearnedRewardConfig {
        calculate_every: 5,
        fine_tuning_steps: 2,
        model: small(ObjectiveModelConfig::paper()),
        ..LearnedRewardConfig::paper()
    }
}

fn standard() -> LearnedRewardConfig {
    LearnedRewardConfig {
        fine_tuning_steps: 2,
        gate_results: 8,
        model: ObjectiveModelConfig {
            members: 2,
            ..small(ObjectiveModelConfig::standard())
        },
        ..LearnedRewardConfig::standard()
    }
}

/// Some densities of crystals of the board, in a file.
fn data(folder: &Path) -> std::path::PathBuf {
    let task = densities();
    let mut text = "skeleton,elements,density\n".to_owned();
    for number in (0..1296_usize).step_by(37) {
        let place = |site: u32| (number / 6_usize.pow(site) % 6) as u8;
        let crystal = task.crystal(0, &[0, 1, 2, 3].map(place)).unwrap();
        let symbols: Vec<&str> = crystal.elements().iter().map(|e| e.symbol()).collect();
        let density = crystal.rigid_density_g_cm3();
        writeln!(text, "C4,{},{density}", symbols.join(" ")).unwrap();
    }
    let path = folder.join("densities.csv");
    fs::write(&path, text).unwrap();
    path
}

/// What happens, to the last bit.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// Number, reward, whether it was calculated.
    episodes: Vec<(u64, u64, bool)>,
    /// Predicted return, results, skill.
    forecasts: Vec<(u64, usize, Option<u64>)>,
}

impl Observer for Seen {
    fn predicted(&mut self, learned: &LearnedEpisode<'_>) {
        let is_calculated = matches!(learned.episode.appraisal, Appraisal::Computed(_));
        assert_eq!(learned.forecast.is_calculated, is_calculated);
        if !is_calculated {
            assert_eq!(learned.episode.reward, learned.forecast.predicted_return);
            assert!(learned.losses.is_none());
        }
        self.forecasts.push((
            learned.forecast.predicted_return.to_bits(),
            learned.results,
            learned.skill.map(f64::to_bits),
        ));
    }

    fn episode_finished(&mut self, _: u64, episode: &crystalgym_environment::FinishedEpisode) {
        let is_calculated = matches!(episode.appraisal, Appraisal::Computed(_));
        self.episodes
            .push((episode.number, episode.reward.to_bits(), is_calculated));
    }
}

fn agent(
    learned: &LearnedRewardConfig,
    config: DqnConfig,
    task: &Arc<Task>,
    evaluator: &Evaluator,
) -> Agent {
    let reward = LearnedReward::pretrained(learned.clone(), Arc::clone(task), 1).unwrap();
    let config = AgentConfig::Dqn(config);
    Agent::on_learned_reward(&config, reward, Arc::clone(task), evaluator).unwrap()
}

fn whole(learned: &LearnedRewardConfig, config: DqnConfig, evaluator: &Evaluator) -> Seen {
    let mut seen = Seen::default();
    finish(
        &mut agent(learned, config, &densities(), evaluator),
        &mut seen,
    );
    seen
}

#[test]
fn threads_and_late_rewards_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for learned in [paper(), standard()] {
        let learned = LearnedRewardConfig {
            data: Some(data(folder.path())),
            ..learned
        };
        let seen = whole(&learned, short_run(), &rigid());
        assert_eq!(whole(&learned, short_run(), &delayed()), seen);
        let threaded = LearnedRewardConfig {
            model: ObjectiveModelConfig {
                threads: 2,
                ..learned.model.clone()
            },
            ..learned
        };
        let config = DqnConfig {
            threads: 2,
            ..short_run()
        };
        assert_eq!(whole(&threaded, config, &delayed()), seen);
    }
}

#[test]
fn resumed_equals_uninterrupted() {
    let folder = tempfile::tempdir().unwrap();
    for learned in [paper(), standard()] {
        let learned = LearnedRewardConfig {
            data: Some(data(folder.path())),
            ..learned
        };
        let expected = whole(&learned, short_run(), &delayed());
        let mut seen = Seen::default();
        let mut agent = agent(&learned, short_run(), &densities(), &delayed());
        for stop in [31, 100, 205, 333] {
            drive(&mut agent, &mut seen, stop);
            agent.save(folder.path()).unwrap();
            agent = Agent::load(folder.path(), densities(), &delayed()).unwrap();
        }
        finish(&mut agent, &mut seen);
        assert_eq!(seen, expected);
    }
}

/// Oracle: counting. Of what is asked, the fifth, tenth, … is calculated and nothing else.
#[test]
fn one_of_so_many_is_calculated() {
    let seen = whole(&paper(), short_run(), &rigid());
    assert!(seen.episodes.len() >= 99);
    for (number, _, is_calculated) in seen.episodes {
        assert_eq!(is_calculated, number.is_multiple_of(5), "{number}");
    }
}

/// Until the gate opens all is calculated; with one that nothing opens, always.
#[test]
fn a_closed_gate_calculates() {
    let closed = LearnedRewardConfig {
        least_skill: 1.0,
        ..standard()
    };
    let seen = whole(&closed, short_run(), &rigid());
    assert!(
        seen.episodes
            .iter()
            .all(|(.., is_calculated)| *is_calculated)
    );
    let open = LearnedRewardConfig {
        least_skill: -1e9,
        checks_promises: false,
        recalls: false,
        ..standard()
    };
    let seen = whole(&open, short_run(), &rigid());
    let first = seen.episodes.iter().position(|(.., is)| !is).unwrap();
    // Eight results, and what was in flight or ended at the same time.
    assert!((8..=8 + 8).contains(&first), "{first}");
}

/// What arithmetic says is not asked about, and what is odd is never predicted.
#[test]
fn odd_electrons_are_known() {
    let config = TaskConfig {
        odd_electrons_fail_at_once: true,
        ..c4(Property::BandGap, 2.0)
    };
    let textbook = Evaluator {
        calculator: Arc::new(EmpiricalCalculator),
        store: None,
        workers: 1,
        screening: None,
    };
    let mut seen = Seen::default();
    let mut dqn = short_run();
    dqn.finds.parity_mask = false;
    finish(
        &mut agent(&paper(), dqn, &task(config), &textbook),
        &mut seen,
    );
    let known = seen.episodes.len() - seen.forecasts.len();
    assert!(known > 10, "{known}");
    let failed = seen
        .episodes
        .iter()
        .filter(|(_, reward, is_calculated)| f64::from_bits(*reward) == -1.0 && *is_calculated);
    assert!(failed.count() >= known);
}

/// Any other algorithm as well.
#[test]
fn a_search_runs_on_it() {
    let config = AgentConfig::Genetic(GeneticConfig {
        total_steps: 240,
        ..GeneticConfig::default()
    });
    let task = densities();
    let reward = LearnedReward::pretrained(paper(), Arc::clone(&task), 1).unwrap();
    let mut agent = Agent::on_learned_reward(&config, reward, task, &rigid()).unwrap();
    let mut seen = Seen::default();
    finish(&mut agent, &mut seen);
    assert_eq!(seen.episodes.len(), 60);
    let folder = tempfile::tempdir().unwrap();
    agent.save(folder.path()).unwrap();
    Agent::load(folder.path(), densities(), &rigid()).unwrap();
}

#[test]
fn what_cannot_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let learned = LearnedRewardConfig {
        data: Some(data(folder.path())),
        ..paper()
    };
    let mut agent = agent(&learned, short_run(), &densities(), &rigid());
    drive(&mut agent, &mut Seen::default(), 40);
    let saved = folder.path().join("saved");
    agent.save(&saved).unwrap();
    fs::write(
        folder.path().join("densities.csv"),
        "skeleton,elements,density\nC4,H H H H,1.0\n",
    )
    .unwrap();
    let error = Agent::load(&saved, densities(), &rigid()).err().unwrap();
    assert!(error.to_string().contains("SHA-256 of"), "{error}");

    let difference = TaskConfig {
        reward_form: RewardForm::Difference,
        ..c4(Property::Density, 2.0)
    };
    let error =
        |config, task| -> AgentError { LearnedReward::pretrained(config, task, 1).err().unwrap() };
    let refused = Task::new(&difference).map(|task| error(paper(), Arc::new(task)).to_string());
    if let Ok(message) = refused {
        assert!(message.contains("learned_reward"), "{message}");
    }
    let lone = LearnedRewardConfig {
        gate: true,
        ..paper()
    };
    let message = error(lone, densities()).to_string();
    assert!(message.contains("model.members is 1"), "{message}");
    let none = LearnedRewardConfig {
        calculate_every: 0,
        ..paper()
    };
    let message = error(none, densities()).to_string();
    assert!(message.contains("calculate_every is 0"), "{message}");
    assert_eq!(paper().fine_tuning, FineTuning::Single);
}

/// No member leaves out what a model learned by itself alone, so that nothing judges it.
#[test]
fn a_gate_asks_for_members_that_leave_something_out() {
    let gated = LearnedRewardConfig {
        fine_tuning: FineTuning::Single,
        ..LearnedRewardConfig::standard()
    };
    let error = gated.check().unwrap_err().to_string();
    assert!(
        error.contains("fine_tuning is single, expected none or all"),
        "{error}"
    );
    assert!(LearnedRewardConfig::standard().check().is_ok());
}
