//! How busy 10 to 10 000 workers are whose calculations take the times that were recorded, by simulation.
//!
//! `cargo run -p crystalgym-evaluation --example queue_utilisation -- [TABLE] [MILLISECONDS]`: a table with
//! recorded times (the one that comes along), and what a calculation costs the server (2 ms). Each
//! worker takes, computes and hands in; the server does one thing at a time, in the order of asking.
//! Dear calculations are begun first.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "an example prints and may end"
)]

use std::{cmp::Reverse, collections::BinaryHeap, env};

use crystalgym_evaluation::{ResultTable, SHIPPED_TABLES};

/// Calculations for each worker.
const EACH: usize = 50;

fn main() {
    let mut arguments = env::args().skip(1);
    let name = arguments
        .next()
        .unwrap_or_else(|| SHIPPED_TABLES[0].name.to_owned());
    let cost_seconds = arguments
        .next()
        .map_or(2.0, |text| text.parse::<f64>().unwrap())
        / 1e3;
    let table = ResultTable::open(&name).unwrap();
    let recorded: Vec<f64> = table
        .rows()
        .iter()
        .map(|row| row.outcome.seconds())
        .collect();
    let mean = recorded.iter().sum::<f64>() / recorded.len() as f64;
    let longest = recorded.iter().copied().fold(0.0, f64::max);
    println!(
        "{name}: {} calculations of {mean:.2} s on average, {longest:.1} s at most; {:.1} ms of the server",
        recorded.len(),
        1e3 * cost_seconds
    );
    println!(
        "{:>8} {:>12} {:>12} {:>10}",
        "workers", "to the end", "while full", "server"
    );
    for scale in [1.0, 10.0, 100.0] {
        println!("times × {scale}: {:.1} s on average", scale * mean);
        for workers in [10, 1000, 10_000] {
            let mut seconds: Vec<f64> = recorded.iter().map(|s| scale * s).collect();
            seconds.sort_by(|a, b| b.total_cmp(a));
            let all = seconds.iter().copied();
            // Every recorded time as often as any other, dear ones first.
            let copies = (EACH * workers).div_ceil(recorded.len());
            let jobs: Vec<f64> = all.flat_map(|s| std::iter::repeat_n(s, copies)).collect();
            let run = simulate(&jobs, workers, cost_seconds);
            println!(
                "{workers:>8} {:>10.1} % {:>10.1} % {:>8.0} %",
                100.0 * run.to_the_end,
                100.0 * run.while_full,
                100.0 * run.server
            );
        }
    }
}

struct Run {
    /// Busy time of the workers over all their time, the wait for the last one included.
    to_the_end: f64,
    /// The same until the queue was empty.
    while_full: f64,
    /// Busy time of the server.
    server: f64,
}

fn simulate(jobs: &[f64], workers: usize, cost_seconds: f64) -> Run {
    let micro = |seconds: f64| (1e6 * seconds) as u64;
    // Take and hand in cost the server about the same.
    let half = micro(cost_seconds / 2.0);
    let mut asking: BinaryHeap<Reverse<u64>> = (0..workers).map(|_| Reverse(0)).collect();
    let (mut server_free, mut server_busy, mut end, mut emptied) = (0, 0, 0, 0);
    let (mut busy, mut busy_when_emptied) = (0, 0);
    let mut under_way: Vec<u64> = Vec::new();
    for &job in jobs {
        let Some(Reverse(now)) = asking.pop() else {
            break;
        };
        // What is handed in and what is taken next come together.
        server_free = server_free.max(now) + 2 * half;
        server_busy += 2 * half;
        let done = server_free + micro(job);
        busy += micro(job);
        emptied = server_free;
        end = end.max(done);
        under_way.push(done);
        asking.push(Reverse(done));
    }
    for done in under_way {
        busy_when_emptied += done.saturating_sub(emptied);
    }
    let share = |busy: u64, time: u64| busy as f64 / (time.max(1) as f64 * workers as f64);
    Run {
        to_the_end: share(busy, end),
        while_full: share(busy - busy_when_emptied, emptied),
        server: server_busy as f64 / end.max(1) as f64,
    }
}
