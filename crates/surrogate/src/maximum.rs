//! The highest point of a smooth function of a few numbers.

/// Largest and smallest step of a number.
const STEPS: (f64, f64) = (1e-3, 1.0);
/// No number goes further than this.
const FARTHEST: f64 = 12.0;

/// Climbs from a start along the signs of the gradient: resilient propagation (Igel and Hüsken,
/// Neurocomputing 50, 105 (2003), the variant iRprop⁻). Returns the highest point met; where the
/// function has no value it counts as lowest.
pub(crate) fn climb(
    start: &[f64],
    iterations: usize,
    mut function: impl FnMut(&[f64]) -> Option<(f64, Vec<f64>)>,
) -> Vec<f64> {
    let mut here = start.to_vec();
    let mut steps = vec![0.3_f64; start.len()];
    let mut last = vec![0.0; start.len()];
    let mut best = (f64::NEG_INFINITY, here.clone());
    for _ in 0..iterations {
        let Some((value, gradient)) = function(&here) else {
            // Back half of the way.
            for ((x, best), step) in here.iter_mut().zip(&best.1).zip(&mut steps) {
                *x = 0.5 * (*x + best);
                *step = (0.5 * *step).max(STEPS.0);
            }
            last.fill(0.0);
            continue;
        };
        if value > best.0 {
            best = (value, here.clone());
        }
        for (place, mut slope) in gradient.into_iter().enumerate() {
            let turned = slope * last[place];
            if turned > 0.0 {
                steps[place] = (1.2 * steps[place]).min(STEPS.1);
            } else if turned < 0.0 {
                steps[place] = (0.5 * steps[place]).max(STEPS.0);
                slope = 0.0;
            }
            if slope != 0.0 {
                let next = here[place] + steps[place].copysign(slope);
                here[place] = next.clamp(-FARTHEST, FARTHEST);
            }
            last[place] = slope;
        }
        if steps.iter().all(|step| *step <= STEPS.0) {
            break;
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the maximum of a skew parabola by hand, at (1, −2).
    #[test]
    fn the_top_of_a_parabola() {
        let parabola = |x: &[f64]| {
            let (a, b) = (x[0] - 1.0, x[1] + 2.0);
            let value = -(a * a + 3.0 * b * b + a * b);
            Some((value, vec![-(2.0 * a + b), -(6.0 * b + a)]))
        };
        let top = climb(&[4.0, 4.0], 200, parabola);
        assert!(
            (top[0] - 1.0).abs() < 0.01 && (top[1] + 2.0).abs() < 0.01,
            "{top:?}"
        );
    }
}
