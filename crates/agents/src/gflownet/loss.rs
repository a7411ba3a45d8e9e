//! Weights of crystals, and the loss that a trajectory has.

/// `ln R = max(k ln r, ln R_min)` of a crystal that earns `r`: weights are rewards to a power `k`, and
/// none is zero.
pub(super) fn log_weight(reward: f64, power: f64, least_weight: f64) -> f64 {
    // The logarithm of what is not positive is no number, which `max` leaves out.
    (power * reward.ln()).max(least_weight.ln())
}

/// `δ = ln Z(s₀) + Σ ln π(aₜ | sₜ) − ln R(x)`, zero where the policy draws `x` with probability `R / Z`
/// (Malkin et al. 2022, equation 14). Each crystal has one history from a start, so that nothing is to be
/// divided among histories (their backward policy is 1).
pub(super) fn imbalance(log_partition: f64, log_probability: f64, log_weight: f64) -> f64 {
    log_partition + log_probability - log_weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_powers_and_never_zero() {
        assert!((log_weight(0.5, 3.0, 1e-4) - 0.125_f64.ln()).abs() < 1e-12);
        for nothing in [0.0, -1.0, 1e-3] {
            assert_eq!(log_weight(nothing, 3.0, 1e-4), 1e-4_f64.ln());
        }
    }

    /// Oracle: two crystals with weights 1 and 3 are drawn with 1/4 and 3/4.
    #[test]
    fn nothing_is_out_of_balance_where_crystals_are_drawn_by_their_weight() {
        for (probability, weight) in [(0.25_f64, 1.0_f64), (0.75, 3.0)] {
            let off = imbalance(4.0_f64.ln(), probability.ln(), weight.ln());
            assert!(off.abs() < 1e-12, "{off}");
        }
        assert!(imbalance(4.0_f64.ln(), 0.5_f64.ln(), 3.0_f64.ln()) < 0.0);
    }
}
