//! Checks the training step on a GPU against plain loops in f64, and times it at the shape of Llama 3 8B.
//!
//! Every part runs even if another fails; the last lines are one JSON object for each timing, and how many
//! parts failed. `device_check tiny` leaves the timing out.
#![allow(clippy::print_stdout)]

mod correctness;
mod reference;
mod timing;
mod tiny;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::Instant,
};

use crystalgym_language_cuda::{Device, Precision};
use tiny::Tiny;

type Outcome = Result<String, Box<dyn std::error::Error>>;

/// Runs a part and tells how it went; whether it went well.
fn part(name: &str, work: impl FnOnce() -> Outcome) -> bool {
    let start = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(work));
    let seconds = start.elapsed().as_secs_f64();
    let (word, text) = match &outcome {
        Ok(Ok(text)) => ("passed", text.clone()),
        Ok(Err(error)) => ("FAILED", error.to_string()),
        Err(_) => ("FAILED", "a panic, see above".to_owned()),
    };
    println!("{word}: {name} ({seconds:.1} s)\n{text}\n");
    word == "passed"
}

fn open(precision: Precision) -> Outcome {
    let device = Device::open(0, precision)?;
    let (free, total) = device.memory()?;
    let gib = |bytes: usize| bytes as f64 / (1_u64 << 30) as f64;
    Ok(format!(
        "{}, {:.1} of {:.1} GiB free",
        device.name()?,
        gib(free),
        gib(total)
    ))
}

fn main() -> ExitCode {
    let only_tiny = std::env::args().any(|argument| argument == "tiny");
    let mut passed = Vec::new();
    for (precision, tolerances) in [
        (Precision::F32, correctness::Tolerances::F32),
        (Precision::Bf16, correctness::Tolerances::BF16),
    ] {
        passed.push(part(&format!("open {precision:?}"), || open(precision)));
        for (name, tiny) in [("grouped", Tiny::grouped()), ("tied", Tiny::tied())] {
            passed.push(part(&format!("gradients {precision:?} {name}"), || {
                correctness::gradients(&tiny, precision, tolerances)
            }));
            passed.push(part(&format!("20 steps {precision:?} {name}"), || {
                correctness::steps(&tiny, precision, tolerances)
            }));
        }
    }
    if !only_tiny {
        for run in timing::RUNS {
            passed.push(part(run.name, || timing::time(&run)));
        }
    }
    let failed = passed.iter().filter(|passed| !**passed).count();
    println!("{failed} of {} parts failed", passed.len());
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
