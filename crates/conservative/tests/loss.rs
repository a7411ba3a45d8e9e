//! The losses against finite differences and their formulas.

use crystalgym_conservative::{
    Climb, Conservative, Objective, Scale, Truth, Weighting, conservative_loss,
};
use crystalgym_environment::Reward;

const KNOWN: [f32; 8] = [0.3, -0.4, 1.2, 0.7, -0.8, 0.1, 0.5, 2.0];
const TRUTHS: [Truth; 4] = [
    Truth::Value(1.4),
    Truth::Failure,
    Truth::Value(0.2),
    Truth::Value(2.5),
];
/// Of these the ascent started.
const ATTACKS: [usize; 3] = [0, 2, 3];
const ATTACKED: [f32; 6] = [0.9, 0.0, -1.1, 0.0, 0.6, 0.0];

fn objective(climb: Climb) -> Objective {
    Objective {
        climb,
        reward: Reward::Gaussian,
        target: 1.12,
        scale: Scale {
            mean: 1.0,
            spread: 0.8,
        },
    }
}

/// Oracle: central differences of the total, for both weights and both objectives.
#[test]
fn gradients_are_those_of_finite_differences() {
    for climb in [Climb::Value, Climb::Reward] {
        for weighting in [Weighting::Dual, Weighting::Fixed] {
            let objective = objective(climb);
            let conservative = Conservative::new(weighting, 0.7);
            let at = |known: &[f32; 8], attacked: &[f32; 6]| {
                conservative_loss(
                    2,
                    known,
                    &TRUTHS,
                    attacked,
                    &ATTACKS,
                    &objective,
                    &conservative,
                )
            };
            let (_, grad_known, grad_attacked) = at(&KNOWN, &ATTACKED);
            let step = 1e-3_f32;
            for i in 0..8 {
                let (mut above, mut below) = (KNOWN, KNOWN);
                above[i] += step;
                below[i] -= step;
                let width = f64::from(above[i] - below[i]);
                let exact = (at(&above, &ATTACKED).0.total - at(&below, &ATTACKED).0.total) / width;
                let found = f64::from(grad_known[i]);
                assert!(
                    (found - exact).abs() < 1e-5,
                    "{climb:?} {weighting:?} {i}: {found} {exact}"
                );
            }
            for i in 0..6 {
                let (mut above, mut below) = (ATTACKED, ATTACKED);
                above[i] += step;
                below[i] -= step;
                let width = f64::from(above[i] - below[i]);
                let exact = (at(&KNOWN, &above).0.total - at(&KNOWN, &below).0.total) / width;
                let found = f64::from(grad_attacked[i]);
                assert!(
                    (found - exact).abs() < 1e-5,
                    "{climb:?} {weighting:?} {i}: {found} {exact}"
                );
            }
        }
    }
}

/// Oracle: the formulas of the two papers by hand. Gaps are 0.6, −0.3 and 0.1.
#[test]
fn the_two_weights_are_those_of_the_papers() {
    let total = |weighting| {
        let (losses, ..) = conservative_loss(
            2,
            &KNOWN,
            &TRUTHS,
            &ATTACKED,
            &ATTACKS,
            &objective(Climb::Value),
            &Conservative::new(weighting, 0.5),
        );
        let rest = losses.error + losses.failure;
        assert!((losses.gap - (0.6 - 0.3 + 0.1) / 3.0).abs() < 1e-6);
        losses.total - rest
    };
    assert!((total(Weighting::Dual) - 0.5 * 0.4 / 3.0).abs() < 1e-6);
    assert!((total(Weighting::Fixed) - 0.5 * 0.7 / 3.0).abs() < 1e-6);
    let errors = [0.3 - 0.5, -0.8 + 1.0, 0.5 - 1.875];
    let expected = errors.iter().map(|e: &f64| e * e).sum::<f64>() / 3.0;
    let (losses, ..) = conservative_loss(
        2,
        &KNOWN,
        &TRUTHS,
        &[],
        &[],
        &objective(Climb::Value),
        &Conservative::new(Weighting::Dual, 1.0),
    );
    assert!((losses.error - expected).abs() < 1e-6);
    let entropy = |logit: f64, fails: bool| {
        let p = 1.0 / (1.0 + (-logit).exp());
        -(if fails { p } else { 1.0 - p }).ln()
    };
    let cross = [(-0.4, false), (0.7, true), (0.1, false), (2.0, false)];
    let expected = cross
        .map(|(s, fails)| entropy(s, fails))
        .iter()
        .sum::<f64>()
        / 4.0;
    assert!((losses.failure - expected).abs() < 1e-6);
    assert_eq!(losses.total, losses.error + losses.failure);
}

/// Oracle: Adam's first step moves log α by its rate, up while the gap is above τ and down below.
#[test]
fn the_dual_weight_grows_while_the_gap_is_too_large() {
    for (gap, sign) in [(2.5, 1.0), (1.5, -1.0)] {
        let mut conservative = Conservative::new(Weighting::Dual, 0.1);
        conservative.learn(gap, 2.0, 0.01);
        let moved = (conservative.weight / 0.1).ln();
        assert!((moved - sign * 0.01).abs() < 1e-8, "{gap}: {moved}");
    }
    let mut fixed = Conservative::new(Weighting::Fixed, 0.1);
    fixed.learn(2.5, 2.0, 0.01);
    assert_eq!(fixed.weight, 0.1);
}

/// Oracle: central differences of the heights.
#[test]
fn slopes_of_the_objective() {
    for climb in [Climb::Value, Climb::Reward] {
        let objective = objective(climb);
        for output in [-1.5, 0.0, 0.3, 2.0] {
            let at = |output| objective.at(output).0;
            let exact = (at(output + 1e-6) - at(output - 1e-6)) / 2e-6;
            assert!((objective.at(output).1 - exact).abs() < 1e-8);
        }
    }
}
