//! The vectorised environment: same seed, same run, however late the rewards come.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{sync::Arc, thread, time::Duration};

use crystalgym_crystal::{Crystal, Element};
use crystalgym_environment::{
    Action, Autoreset, CustomReward, EnvironmentError, Interrupted, Objective, PoolAppraiser,
    Prediction, Surrogate, SurrogateAppraiser, Task, TaskConfig, VectorEnvironment,
    random::uniform_below,
};
use crystalgym_evaluation::{
    Calculator, CancelToken, FailureCode, Fingerprint, Outcome, Property, RigidCalculator, Source,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;

/// The rigid density, after a pause that depends on the crystal: results arrive out of order.
struct Delayed;

impl Calculator for Delayed {
    fn name(&self) -> &str {
        "delayed"
    }

    fn fingerprint(&self, _: &[Element], _: Property) -> Fingerprint {
        Fingerprint(String::new())
    }

    /// To give what the instant calculator gives, to the last bit.
    fn keeps_the_cell(&self) -> bool {
        true
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, cancel: &CancelToken) -> Outcome {
        let pause = crystal
            .elements()
            .iter()
            .map(|e| u64::from(e.atomic_number()))
            .sum::<u64>();
        thread::sleep(Duration::from_micros(pause * 37 % 3000));
        RigidCalculator.evaluate(crystal, property, cancel)
    }
}

fn task() -> Arc<Task> {
    let skeletons = ["C2", "C3", "C6"].map(str::to_owned).to_vec();
    Arc::new(
        Task::new(&TaskConfig {
            skeletons,
            ..TaskConfig::default()
        })
        .unwrap(),
    )
}

/// One line per episode: number, environment, elements, reward to the last bit.
fn record(environment: &mut VectorEnvironment, in_flight: usize, log: &mut Vec<String>) {
    while let Some(episode) = environment.next_finished(in_flight, &|| false).unwrap() {
        log.push(format!(
            "{} {} {} {:x}",
            episode.number,
            episode.environment,
            episode.crystal.formula(),
            episode.reward.to_bits()
        ));
    }
}

fn play(
    environment: &mut VectorEnvironment,
    rng: &mut Pcg64,
    steps: usize,
    in_flight: usize,
) -> Vec<String> {
    let mut log = Vec::new();
    for _ in 0..steps {
        record(environment, in_flight, &mut log);
        let actions: Vec<Action> = (0..environment.len())
            .map(|_| uniform_below(rng, 18) as Action)
            .collect();
        environment.step(&actions).unwrap();
    }
    log
}

fn vector(calculator: impl Calculator + 'static, workers: usize) -> VectorEnvironment {
    vector_of(&task(), calculator, 4, workers, 11)
}

fn vector_of(
    task: &Arc<Task>,
    calculator: impl Calculator + 'static,
    environments: usize,
    workers: usize,
    seed: u64,
) -> VectorEnvironment {
    let appraiser = Box::new(PoolAppraiser::new(Arc::new(calculator), None, workers));
    VectorEnvironment::of_one_task(task, environments, seed, appraiser, Autoreset::SameStep)
}

#[test]
fn late_rewards_give_the_same_run_as_instant_ones_for_any_number_of_workers() {
    let reference = play(
        &mut vector(RigidCalculator, 1),
        &mut Pcg64::seed_from_u64(5),
        200,
        6,
    );
    assert!(reference.len() > 100);
    for workers in [1, 2, 5] {
        let mut environment = vector(Delayed, workers);
        let log = play(&mut environment, &mut Pcg64::seed_from_u64(5), 200, 6);
        assert_eq!(log.len(), reference.len());
        for (found, expected) in log.iter().zip(&reference) {
            assert_eq!(found, expected, "{workers} workers");
        }
    }
}

#[test]
fn every_episode_is_delivered_exactly_once_and_in_order() {
    let mut environment = vector(Delayed, 3);
    let mut log = play(&mut environment, &mut Pcg64::seed_from_u64(6), 100, 9);
    assert!(environment.open_episodes() > 0);
    record(&mut environment, 0, &mut log);
    let numbers: Vec<usize> = log
        .iter()
        .map(|line| line.split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
    assert_eq!(environment.open_episodes(), 0);
}

#[test]
fn a_restored_snapshot_goes_on_as_if_nothing_had_happened() {
    let mut uninterrupted = vector(Delayed, 2);
    let mut rng = Pcg64::seed_from_u64(8);
    let first = play(&mut uninterrupted, &mut rng, 57, 5);
    let text = serde_json::to_string(&uninterrupted.snapshot()).unwrap();
    let later_rng = rng.clone();
    let expected = play(&mut uninterrupted, &mut rng, 60, 5);
    assert!(!first.is_empty());

    let mut resumed = vector(Delayed, 1);
    resumed
        .restore(serde_json::from_str(&text).unwrap())
        .unwrap();
    assert_eq!(play(&mut resumed, &mut later_rng.clone(), 60, 5), expected);
    assert_eq!(resumed.steps(), uninterrupted.steps());
}

#[test]
fn a_snapshot_of_another_task_is_refused() {
    let snapshot = vector(RigidCalculator, 1).snapshot();
    let other = Arc::new(Task::new(&TaskConfig::default()).unwrap());
    let mut environment = vector_of(&other, RigidCalculator, 4, 1, 11);
    // Some of the four environments start on C3 or C6, which the other task does not have.
    let error = environment.restore(snapshot.clone()).unwrap_err();
    assert!(matches!(error, EnvironmentError::Snapshot(_)), "{error}");
    let mut fewer = vector_of(&task(), RigidCalculator, 3, 1, 11);
    let error = fewer.restore(snapshot).unwrap_err().to_string();
    assert!(error.contains("4 environments, expected 3"), "{error}");
}

/// Never comes back unless cancelled.
struct Endless;

impl Calculator for Endless {
    fn name(&self) -> &str {
        "endless"
    }

    fn fingerprint(&self, _: &[Element], _: Property) -> Fingerprint {
        Fingerprint(String::new())
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, cancel: &CancelToken) -> Outcome {
        while !cancel.is_cancelled() {
            thread::sleep(Duration::from_millis(2));
        }
        RigidCalculator.evaluate(crystal, property, cancel)
    }
}

#[test]
fn waiting_can_be_interrupted_without_losing_the_episode() {
    let mut environment = vector(Endless, 1);
    while environment.open_episodes() == 0 {
        environment.step(&[0; 4]).unwrap();
    }
    let open = environment.open_episodes();
    let result = environment.next_finished(0, &|| true);
    assert!(matches!(result, Err(Interrupted)));
    assert_eq!(environment.open_episodes(), open);
    assert!(environment.next_finished(open, &|| true).unwrap().is_none());
}

#[test]
fn odd_electron_counts_fail_at_once_if_asked_to() {
    let config = TaskConfig {
        property: Property::BandGap,
        odd_electrons_fail_at_once: true,
        ..TaskConfig::default()
    };
    let task = Arc::new(Task::new(&config).unwrap());
    let mut environment = vector_of(&task, Endless, 1, 1, 0);
    // Four lithium atoms and one beryllium atom: 16 electrons; five lithium atoms: 15.
    for _ in 0..5 {
        environment.step(&[0]).unwrap();
    }
    let episode = environment.next_finished(0, &|| true).unwrap().unwrap();
    let evaluation = episode.appraisal.evaluation().unwrap();
    assert_eq!(
        evaluation.outcome.failure().unwrap().code,
        FailureCode::OddElectronCount
    );
    assert_eq!(
        (episode.reward, evaluation.source),
        (-1.0, Source::Computed)
    );
    for action in [0, 0, 0, 0, 4] {
        environment.step(&[action]).unwrap();
    }
    assert!(
        environment.next_finished(0, &|| true).is_err(),
        "an even count asks the calculator"
    );
}

#[test]
fn a_wrong_number_of_actions_is_named() {
    let error = vector(RigidCalculator, 1)
        .step(&[0; 3])
        .unwrap_err()
        .to_string();
    assert_eq!(error, "3 actions for 4 environments");
}

/// Whatever the mode, an environment plays the same episodes: only when the next one starts differs.
#[test]
fn the_modes_differ_in_when_an_episode_starts() {
    let task = task();
    let mut logs = Vec::new();
    for autoreset in [
        Autoreset::SameStep,
        Autoreset::NextStep,
        Autoreset::Disabled,
    ] {
        let appraiser = Box::new(PoolAppraiser::new(Arc::new(RigidCalculator), None, 1));
        let mut environment = VectorEnvironment::of_one_task(&task, 1, 3, appraiser, autoreset);
        let mut rng = Pcg64::seed_from_u64(4);
        let mut log = Vec::new();
        while log.len() < 10 {
            let action = uniform_below(&mut rng, 18) as i64;
            environment.step_one(0, action).unwrap();
            while let Some(episode) = environment.next_ready(Duration::ZERO) {
                assert_eq!(environment.has_ended(0), autoreset != Autoreset::SameStep);
                match autoreset {
                    Autoreset::SameStep => assert_eq!(environment.state(0).step, 0),
                    // The action of this step is not looked at.
                    Autoreset::NextStep => drop(environment.step_one(0, -7).unwrap()),
                    Autoreset::Disabled => {
                        let error = environment.step_one(0, 0).unwrap_err();
                        assert!(matches!(error, EnvironmentError::EpisodeEnded));
                        environment.reset(0, None, None);
                    }
                }
                let replayed = episode.episode.last_state(&task).unwrap();
                assert_eq!(replayed, episode.state);
                log.push((episode.number, episode.state, episode.reward.to_bits()));
            }
        }
        logs.push(log);
    }
    assert_eq!(logs[0], logs[1]);
    assert_eq!(logs[0], logs[2]);
}

/// Expects the rigid density plus one for every crystal, and that one calculation in ten fails.
struct Guess;

impl Surrogate for Guess {
    fn predict(&self, crystal: &Crystal, _: Property) -> Prediction {
        Prediction {
            value: crystal.rigid_density_g_cm3() + 1.0,
            spread: 0.5,
            failure_probability: 0.1,
            penalty: 0.0,
        }
    }
}

#[test]
fn a_model_can_take_the_place_of_the_calculation() {
    let appraiser = Box::new(SurrogateAppraiser::new(Arc::new(Guess)));
    let mut environment =
        VectorEnvironment::of_one_task(&task(), 1, 0, appraiser, Autoreset::SameStep);
    let episode = loop {
        environment.step(&[2]).unwrap();
        if let Some(episode) = environment.next_finished(0, &|| false).unwrap() {
            break episode;
        }
    };
    assert!(episode.appraisal.evaluation().is_none());
    let value = episode.crystal.rigid_density_g_cm3() + 1.0;
    // The published density reward, written out; that of a failure is −1.
    let expected = 0.9 * (-(value - 3.0).powi(2) / 3.0).exp() - 0.1;
    assert!((episode.reward - expected).abs() < 1e-12);
}

/// Minus the distance from the target, down to −10.
#[derive(Debug)]
struct Distance;

impl CustomReward for Distance {
    fn of_value(&self, target: f64, value: f64) -> f64 {
        -(value - target).abs().min(10.0)
    }

    fn of_failure(&self) -> f64 {
        -10.0
    }

    fn best(&self) -> f64 {
        0.0
    }
}

#[test]
fn a_reward_of_ones_own_takes_the_place_of_the_papers() {
    let play = |property| {
        let config = TaskConfig {
            property,
            ..TaskConfig::default()
        };
        let objective = Objective::new(property, 3.0).with_reward(Arc::new(Distance));
        let task = Task::new(&config).unwrap().with_objective(objective);
        let mut environment = vector_of(&Arc::new(task), RigidCalculator, 1, 1, 0);
        while environment.open_episodes() == 0 {
            environment.step(&[2]).unwrap();
        }
        environment.next_finished(0, &|| false).unwrap().unwrap()
    };
    let episode = play(Property::Density);
    let value = episode.crystal.rigid_density_g_cm3();
    assert!((episode.reward + (value - 3.0).abs()).abs() < 1e-12);
    assert_ne!(episode.reward, (-(value - 3.0).powi(2) / 3.0).exp());
    // The rigid calculator knows no gap.
    assert_eq!(play(Property::BandGap).reward, -10.0);
}
