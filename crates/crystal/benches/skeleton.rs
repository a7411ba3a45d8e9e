//! Time to make a benchmark skeleton (symmetry and graph) and its graph alone, once a run instead
//! of once an episode, and to find the canonical writing of a crystal on it, once an evaluation.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

use std::{hint::black_box, time::Instant};

use crystalgym_crystal::{CanonicalCrystal, Crystal, CrystalGraph, Element, Skeleton};

fn median_ms(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..21)
        .map(|_| {
            let start = Instant::now();
            work();
            1e3 * start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[10]
}

fn main() {
    for skeleton in Skeleton::builtins().unwrap() {
        let graph = median_ms(|| {
            black_box(CrystalGraph::crystal_nn(&skeleton.lattice, &skeleton.frac_coords).unwrap());
        });
        let whole = median_ms(|| {
            black_box(Skeleton::builtin(&skeleton.label).unwrap());
        });
        let elements = Element::all().take(skeleton.sites()).collect();
        let structure = Crystal::new(skeleton.clone(), elements)
            .unwrap()
            .structure();
        let canonical = median_ms(|| {
            black_box(CanonicalCrystal::of(&structure).unwrap());
        });
        println!(
            "{}: graph {graph:.2} ms, whole skeleton {whole:.2} ms, canonical {canonical:.3} ms",
            skeleton.label
        );
    }
}
