//! Rewards of differences: both crystals of an episode are appraised, however late.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crystalgym_crystal::{Crystal, Element};
use crystalgym_environment::{
    Autoreset, FinishedEpisode, PoolAppraiser, ProcessName, RewardForm, Task, TaskConfig,
    VectorEnvironment, random::random_choice,
};
use crystalgym_evaluation::{
    Calculator, CancelToken, Failure, FailureCode, Fingerprint, Outcome, Property, RigidCalculator,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;

/// The rigid density, which fails on crystals with lithium, after a pause that depends on the
/// crystal; counts what it is asked.
struct Slow {
    asked: Arc<AtomicUsize>,
    longest_us: u64,
}

impl Calculator for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn fingerprint(&self, _: &[Element], _: Property) -> Fingerprint {
        Fingerprint(String::new())
    }

    fn keeps_the_cell(&self) -> bool {
        true
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, cancel: &CancelToken) -> Outcome {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let elements = crystal.elements().iter();
        let sum: u64 = elements.map(|e| u64::from(e.atomic_number())).sum();
        thread::sleep(Duration::from_micros(sum * 7919 % self.longest_us));
        match fails(crystal) {
            true => Outcome::Failure(Failure::new(FailureCode::ScfNotConverged, "")),
            false => RigidCalculator.evaluate(crystal, property, cancel),
        }
    }
}

fn fails(crystal: &Crystal) -> bool {
    crystal.elements().iter().any(|e| e.symbol() == "Li")
}

/// The published density reward, written out; that of a failure is −1.
fn reward(crystal: &Crystal) -> f64 {
    match fails(crystal) {
        true => -1.0,
        false => (-(crystal.rigid_density_g_cm3() - 3.0).powi(2) / 3.0).exp(),
    }
}

fn task(process: ProcessName) -> Arc<Task> {
    let task = Task::new(&TaskConfig {
        skeletons: vec!["C2".into(), "C6".into()],
        process,
        reward_form: RewardForm::Difference,
        ..TaskConfig::default()
    });
    Arc::new(task.unwrap())
}

fn vector(task: &Arc<Task>, workers: usize, longest_us: u64) -> VectorEnvironment {
    let asked = Arc::default();
    let calculator = Arc::new(Slow { asked, longest_us });
    let appraiser = Box::new(PoolAppraiser::new(calculator, None, workers));
    VectorEnvironment::of_one_task(task, 3, 5, appraiser, Autoreset::SameStep)
}

fn step(environment: &mut VectorEnvironment, rng: &mut Pcg64) {
    let all = 0..environment.len();
    let actions = all.map(|i| random_choice(environment.observe(i).allowed, rng) as u16);
    let actions: Vec<u16> = actions.collect();
    environment.step(&actions).unwrap();
}

fn check(episode: &FinishedEpisode) {
    let start = &episode.episode.start;
    let first = episode
        .task
        .crystal(start.skeleton.into(), &start.node_types);
    let (first, last) = (reward(&first.unwrap()), reward(&episode.crystal));
    assert!((episode.crystal_reward - last).abs() < 1e-12);
    assert!((episode.reward - (last - first)).abs() < 1e-12);
    assert!(episode.start_appraisal.is_some());
    let (lowest, best) = episode.task.objective().range();
    assert!((lowest..=best).contains(&episode.reward));
}

/// Plays on and returns what was delivered, in order.
fn play(environment: &mut VectorEnvironment, rng: &mut Pcg64, steps: usize) -> Vec<(u64, u64)> {
    let mut log = Vec::new();
    for _ in 0..steps {
        while let Some(episode) = environment.next_finished(4, &|| false).unwrap() {
            check(&episode);
            log.push((episode.number, episode.reward.to_bits()));
        }
        step(environment, rng);
    }
    log
}

/// Oracle: the formula of the reward, of both crystals. Any speed gives the same run.
#[test]
fn the_reward_is_what_the_episode_made_better() {
    for process in [ProcessName::Substitution, ProcessName::Improvement] {
        let task = task(process);
        let runs = [(1, 1), (3, 3000)].map(|(workers, longest_us)| {
            let mut environment = vector(&task, workers, longest_us);
            play(&mut environment, &mut Pcg64::seed_from_u64(2), 100)
        });
        assert!(runs[0].len() > 50);
        assert_eq!(runs[0], runs[1]);
    }
}

#[test]
fn a_snapshot_asks_for_both_crystals_again() {
    let task = task(ProcessName::Improvement);
    let mut uninterrupted = vector(&task, 2, 3000);
    let mut rng = Pcg64::seed_from_u64(8);
    play(&mut uninterrupted, &mut rng, 31);
    assert!(uninterrupted.open_episodes() > 1);
    let text = serde_json::to_string(&uninterrupted.snapshot()).unwrap();
    let mut later_rng = rng.clone();
    let expected = play(&mut uninterrupted, &mut rng, 40);
    let mut resumed = vector(&task, 1, 1);
    resumed
        .restore(serde_json::from_str(&text).unwrap())
        .unwrap();
    assert_eq!(play(&mut resumed, &mut later_rng, 40), expected);
}

/// Delivered as ready: once each, with both answers; a reset gives up both.
#[test]
fn episodes_are_ready_when_both_crystals_are() {
    let task = task(ProcessName::Substitution);
    let mut environment = vector(&task, 3, 3000);
    let mut rng = Pcg64::seed_from_u64(4);
    let mut numbers = Vec::new();
    for _ in 0..60 {
        step(&mut environment, &mut rng);
        while environment.open_episodes() > 4 {
            if let Some(episode) = environment.next_ready(Duration::from_secs(5)) {
                check(&episode);
                numbers.push(episode.number);
            }
        }
    }
    let delivered = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), delivered);
    assert!(delivered > 20);
    (0..3).for_each(|i| environment.reset(i, None, None));
    assert_eq!(environment.open_episodes(), 0);
    assert!(environment.next_ready(Duration::from_secs(5)).is_none());
}

/// A task whose reward is that of the end asks for nothing else.
#[test]
fn starts_are_asked_for_only_where_the_reward_needs_them() {
    for (form, crystals) in [(RewardForm::Final, 1), (RewardForm::Difference, 2)] {
        let task = Task::new(&TaskConfig {
            process: ProcessName::Improvement,
            reward_form: form,
            steps: Some(2),
            ..TaskConfig::default()
        });
        let task = Arc::new(task.unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let calculator = Arc::new(Slow {
            asked: Arc::clone(&asked),
            longest_us: 1,
        });
        let appraiser = Box::new(PoolAppraiser::new(calculator, None, 1));
        let autoreset = Autoreset::SameStep;
        let mut environment = VectorEnvironment::of_one_task(&task, 1, 5, appraiser, autoreset);
        // Beryllium on the first site, then on the second.
        environment.step(&[4]).unwrap();
        environment.step(&[18 + 4]).unwrap();
        let episode = environment.next_finished(0, &|| false).unwrap().unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), crystals);
        assert_eq!(episode.start_appraisal.is_some(), crystals == 2);
    }
}
