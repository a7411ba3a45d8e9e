//! Steps per second of the vectorised environment with `rigid` rewards, on one core.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

use std::{sync::Arc, time::Instant};

use crystalgym_environment::{
    Action, Autoreset, PoolAppraiser, Task, TaskConfig, VectorEnvironment, random::uniform_below,
};
use crystalgym_evaluation::RigidCalculator;
use rand::SeedableRng;
use rand_pcg::Pcg64;

fn main() {
    for (label, skeletons) in [
        ("C2", vec!["C2".to_owned()]),
        (
            "mixed",
            ["C2", "C3", "C4", "C6", "C7"].map(str::to_owned).to_vec(),
        ),
    ] {
        let task = Arc::new(
            Task::new(&TaskConfig {
                skeletons,
                ..TaskConfig::default()
            })
            .unwrap(),
        );
        let appraiser = Box::new(PoolAppraiser::new(Arc::new(RigidCalculator), None, 1));
        let mut environment =
            VectorEnvironment::of_one_task(&task, 64, 1, appraiser, Autoreset::SameStep);
        let mut rng = Pcg64::seed_from_u64(1);
        let mut actions = vec![0; 64];
        let mut rates = Vec::new();
        for _ in 0..7 {
            let start = Instant::now();
            let before = environment.steps();
            for _ in 0..10_000 {
                for action in &mut actions {
                    *action = uniform_below(&mut rng, 18) as Action;
                }
                environment.step(&actions).unwrap();
                while environment.next_finished(0, &|| false).unwrap().is_some() {}
            }
            rates.push((environment.steps() - before) as f64 / start.elapsed().as_secs_f64());
        }
        rates.sort_by(f64::total_cmp);
        println!(
            "{label}: {:.2} million steps/s (median of 7; {:.2} to {:.2})",
            rates[3] / 1e6,
            rates[0] / 1e6,
            rates[6] / 1e6
        );
    }
}
