//! The procedure of `ev.x`.
//!
//! Oracle: `ev.x` itself, run live on 200 sets of energies: near a minimum, far from it, rough, and without
//! any.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests fail by panicking and report"
)]

use std::thread;

use crystalgym_evaluation::fit_as_ev_x;
use crystalgym_qe::{EvFit, PwFailureKind};
use crystalgym_testing::program;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

const SETS: usize = 200;
const THREADS: usize = 4;
const FACTORS: [f64; 5] = [0.98, 0.99, 1.0, 1.01, 1.02];

/// Five volumes in Å³ and energies in Ry.
fn set(random: &mut Pcg64, kind: usize) -> ([f64; 5], [f64; 5]) {
    let mut uniform = |low: f64, high: f64| random.random_range(low..high);
    let volume = uniform(20.0, 300.0);
    let offset = -uniform(5.0, 400.0);
    let modulus_ry = uniform(1.0, 200.0) / 14_710.5 / 0.148_184_7;
    let derivative = uniform(2.5, 7.0);
    // Where the minimum is, relative to the cell.
    let minimum = match kind % 4 {
        0 => uniform(0.985, 1.015),
        1 => uniform(0.85, 1.2),
        2 => uniform(0.6, 1.6),
        _ => 1.0,
    };
    let noise = [0.0, 1e-6, 1e-4][kind / 4 % 3];
    let v0 = minimum * volume;
    let volumes = FACTORS.map(|factor| factor * volume);
    let energies = volumes.map(|v| {
        let curve = modulus_ry * v / derivative
            * ((v0 / v).powf(derivative) / (derivative - 1.0) + 1.0)
            - modulus_ry * v0 / (derivative - 1.0);
        let rough = noise * uniform(-1.0, 1.0);
        match kind % 4 {
            // Energies of nothing at all.
            3 => offset + 0.05 * uniform(-1.0, 1.0),
            _ => offset + curve + rough,
        }
    });
    (volumes, energies)
}

#[test]
fn the_same_fits_and_the_same_failures() {
    let Some(program) = program("ev.x") else {
        return;
    };
    let command = [program.to_string_lossy().into_owned()];
    let mut random = Pcg64::seed_from_u64(5);
    let sets: Vec<_> = (0..SETS).map(|kind| set(&mut random, kind)).collect();
    let lattice = |kind: usize| [("sc", 1.0), ("fcc", 4.0), ("bcc", 2.0)][kind % 3];
    let run = |kind: usize| {
        let (volumes, energies) = sets[kind];
        let rows: Vec<(f64, f64)> = (volumes.iter().zip(energies))
            .map(|(volume, energy)| (volume.cbrt(), energy))
            .collect();
        EvFit::run(&command, lattice(kind).0, &rows)
    };
    // The program spends most of its time starting.
    let expected: Vec<_> = thread::scope(|scope| {
        let run = &run;
        let share = |first: usize| {
            let kinds = (first..SETS).step_by(THREADS);
            scope.spawn(move || kinds.map(|kind| (kind, run(kind))).collect::<Vec<_>>())
        };
        let workers: Vec<_> = (0..THREADS).map(share).collect();
        let done = workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap());
        done.collect()
    });
    let (mut same, mut failures, mut unconverged) = (0, 0, 0);
    for (kind, expected) in expected {
        let (volumes, energies) = sets[kind];
        let (word, cells) = lattice(kind);
        let found = fit_as_ev_x(&volumes, &energies, cells);
        match (&found, &expected) {
            (Ok(found), Ok(expected)) => {
                unconverged += usize::from(!expected.converged);
                let pairs = [
                    (
                        found.equilibrium_volume_ang3,
                        expected.equilibrium_volume_ang3,
                    ),
                    (found.bulk_modulus_gpa, expected.bulk_modulus_gpa),
                    (
                        found.bulk_modulus_derivative,
                        expected.bulk_modulus_derivative,
                    ),
                ];
                let is_same = pairs.iter().all(|(a, b)| (a - b).abs() < 1e-9)
                    && found.has_converged == expected.converged;
                same += usize::from(is_same);
                if !is_same {
                    println!("{kind} {word}: {found:?}\n   {expected:?}");
                }
            }
            (Err(_), Err(theirs)) => {
                // It ended as it should, with a result that its columns do not hold.
                assert_eq!(theirs.kind, PwFailureKind::UnreadableOutput, "{theirs:?}");
                failures += 1;
                same += 1;
            }
            _ => println!("{kind} {word}: {found:?}\n   {expected:?}"),
        }
    }
    println!("{same} of {SETS} the same, {failures} failures, {unconverged} not converged");
    assert_eq!(same, SETS);
}
