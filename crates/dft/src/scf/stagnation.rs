//! When a loop is given up: its error does not fall, or its density has nowhere to settle.

use super::ScfIteration;
use crate::occupation::Occupations;

/// The share by which the error has to fall within the caller's window.
const LEAST_FALL: f64 = 0.9;
/// A residual that points against the last one by this much of its length has turned round,
const TURNED_COSINE: f64 = -0.9;
/// and by surprise where its error was expected to be below this share of what it and the last one are.
const SURPRISING_SHARE: f64 = 1e-3;
/// So many surprises within so many iterations are a crossing that the loop cannot leave, unless the error has
/// fallen to [`LEAST_FALL_AT_CROSSING`] of what it was before them.
const SURPRISES: usize = 4;
const CROSSING_WINDOW: usize = 10;
const LEAST_FALL_AT_CROSSING: f64 = 0.5;

/// A residual beside the last one, as the mixer sees them, which knows what it expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Turn {
    /// Cosine of the angle between the two in the Hartree norm.
    pub(super) cosine: f64,
    /// Error in hartree that the residual should have had, were the density's answer a linear one.
    pub(super) expected_ha: f64,
}

/// Follows a loop, to see when it is of no more use.
///
/// Under fixed occupations the output density jumps where a filled and an empty level cross at a k-point. Where
/// the level that is filled rises above the other, on both sides of the jump, no density is self-consistent:
/// the residual points to the jump from both sides, and the mixer, which knows the density's answers, combines
/// them to next to nothing, a level filled in part, which fixed occupations do not allow. So it finds, time and
/// again, a residual as large as before and the other way round where it expected none. Once or twice that
/// happens to loops that converge too.
#[derive(Debug, Clone)]
pub(super) struct Stagnation {
    window: Option<usize>,
    sees_crossings: bool,
    /// Whether each iteration's residual had turned round by surprise.
    surprises: Vec<bool>,
}

impl Stagnation {
    /// With the caller's window in iterations; none for loops that are never given up.
    pub(super) fn new(window: Option<usize>, occupations: Occupations) -> Self {
        Self {
            window,
            sees_crossings: window.is_some() && occupations == Occupations::Fixed,
            surprises: Vec::new(),
        }
    }

    /// Takes note of the last iteration's residual; the first one has none before it.
    pub(super) fn record(&mut self, history: &[ScfIteration], turn: Option<Turn>) {
        let is_surprise = match (turn, history) {
            (Some(turn), [.., before, last]) => {
                let found_ha = last.estimated_error_ha.min(before.estimated_error_ha);
                turn.cosine < TURNED_COSINE && turn.expected_ha < SURPRISING_SHARE * found_ha
            }
            _ => false,
        };
        self.surprises.push(is_surprise);
    }

    /// Whether to give up.
    pub(super) fn is_reached(&self, history: &[ScfIteration]) -> bool {
        let first = self.surprises.len().saturating_sub(CROSSING_WINDOW);
        let surprises = self.surprises[first..].iter().filter(|&&is| is).count();
        let is_at_crossing = self.sees_crossings
            && surprises >= SURPRISES
            && !has_fallen(history, CROSSING_WINDOW, LEAST_FALL_AT_CROSSING);
        let is_idle = (self.window).is_some_and(|window| !has_fallen(history, window, LEAST_FALL));
        is_at_crossing || is_idle
    }
}

/// Whether the error has fallen to this share within the window; also where the loop is no older than that.
fn has_fallen(history: &[ScfIteration], window: usize, share: f64) -> bool {
    let split = history.len().saturating_sub(window);
    let best = |iterations: &[ScfIteration]| {
        let errors = iterations
            .iter()
            .map(|iteration| iteration.estimated_error_ha);
        errors.fold(f64::INFINITY, f64::min)
    };
    split == 0 || best(&history[split..]) <= share * best(&history[..split])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iteration(number: usize, estimated_error_ha: f64) -> ScfIteration {
        ScfIteration {
            number,
            total_energy_ha: 0.0,
            estimated_error_ha,
            hamiltonian_applications: 0,
            unconverged_bands: 0,
        }
    }

    /// The iteration at which a loop with these errors and residuals is given up.
    fn given_up(
        occupations: Occupations,
        window: Option<usize>,
        loop_of: impl IntoIterator<Item = (f64, Option<Turn>)>,
    ) -> Option<usize> {
        let mut stagnation = Stagnation::new(window, occupations);
        let mut history = Vec::new();
        for (error_ha, turn) in loop_of {
            history.push(iteration(history.len() + 1, error_ha));
            stagnation.record(&history, turn);
            if stagnation.is_reached(&history) {
                return Some(history.len());
            }
        }
        None
    }

    const SMEARED: Occupations = Occupations::Smeared {
        smearing: crate::Smearing::Gaussian,
        width_ha: 0.01,
    };

    /// A density of one number with an answer that jumps at a crossing: `x → 1` below it and `x → 0` above,
    /// which no x equals, mixed by the secant through the last two residuals, but for every third step,
    /// which misses.
    fn crossing(at: f64) -> Vec<(f64, Option<Turn>)> {
        let residual = |x: f64| if x < at { 1.0 - x } else { -x };
        let (mut x, mut last) = (0.9, None);
        let mut found = Vec::new();
        for step in 0..60 {
            let r: f64 = residual(x);
            let turn = last.map(|last: f64| Turn {
                cosine: (r * last).signum(),
                expected_ha: 1e-6,
            });
            found.push((r * r, turn));
            let side = if step % 3 == 2 { -0.02 } else { 0.02 };
            x = at + side * r.signum();
            last = Some(r);
        }
        found
    }

    #[test]
    fn a_crossing_is_seen_long_before_the_window_is_over() {
        for at in [0.3, 0.5, 0.8] {
            let fixed = given_up(Occupations::Fixed, Some(25), crossing(at));
            assert!(fixed.is_some_and(|number| number <= 14), "{fixed:?}");
            // Smeared occupations have no jumps, and the published verdict gives nothing up.
            let smeared = given_up(SMEARED, Some(25), crossing(at));
            assert!(smeared.is_some_and(|number| number > 25), "{smeared:?}");
            assert_eq!(given_up(Occupations::Fixed, None, crossing(at)), None);
        }
    }

    /// Turning round is no surprise where the mixer said so, nor is an error that stays without turning.
    #[test]
    fn only_surprises_count() {
        let turn = |cosine, expected_ha| {
            Some(Turn {
                cosine,
                expected_ha,
            })
        };
        let with = |turn| {
            given_up(
                Occupations::Fixed,
                Some(25),
                (0..24).map(move |_| (1.0, turn)),
            )
        };
        assert!(with(turn(-1.0, 1e-4)).is_some());
        assert_eq!(with(turn(-1.0, 1e-2)), None);
        assert_eq!(with(turn(1.0, 1e-4)), None);
        assert_eq!(with(None), None);
        // Nor where the error falls all the while.
        let falling = (0..24).map(|i| (0.8_f64.powi(i), turn(-1.0, 0.0)));
        assert_eq!(given_up(Occupations::Fixed, Some(25), falling), None);
    }

    #[test]
    fn an_error_that_stays_ends_the_loop_after_the_window() {
        let constant = (0..60).map(|_| (1.0, None));
        assert_eq!(given_up(SMEARED, Some(25), constant), Some(26));
        let falling = (0..60).map(|i| (0.99_f64.powi(i), None));
        assert_eq!(given_up(SMEARED, Some(25), falling), None);
    }
}
