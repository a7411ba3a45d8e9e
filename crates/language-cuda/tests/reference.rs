//! The reference that the GPU is compared with (`examples/device_check`) is right: its gradients are those
//! of its loss.

#[path = "../examples/device_check/reference.rs"]
mod reference;
#[path = "../examples/device_check/tiny.rs"]
#[allow(dead_code)]
mod tiny;

use reference::Reference;
use tiny::{Numbers, Tiny};

/// Oracle: central differences along random directions.
#[test]
fn gradients_of_the_reference_are_those_of_its_loss() {
    for tiny in [Tiny::grouped(), Tiny::tied()] {
        let trained: Vec<f64> = tiny.trained.iter().map(|&x| x.into()).collect();
        let (loss, gradient) = Reference::new(&tiny, &trained).losses(&tiny.examples, 0.5);
        let chance = tiny.answers() as f64 * (tiny.shape.vocab_size as f64).ln();
        assert!(loss > 0.3 * chance && loss < 4.0 * chance, "{loss}");
        let mut numbers = Numbers(7);
        for _ in 0..3 {
            let direction: Vec<f64> = trained.iter().map(|_| numbers.next()).collect();
            let along: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
            let at = |step: f64| {
                let moved: Vec<f64> = trained
                    .iter()
                    .zip(&direction)
                    .map(|(x, d)| x + step * d)
                    .collect();
                0.5 * Reference::new(&tiny, &moved).losses(&tiny.examples, 0.0).0
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!(
                (along / difference - 1.0).abs() < 1e-5,
                "{along} and {difference}"
            );
        }
    }
}
