//! The returns that a distributional agent tells apart.

use crystalgym_environment::Objective;

/// Equally spaced returns that a distribution of returns lives on (Bellemare, Dabney and Munos
/// 2017, the atoms of C51).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Support {
    low: f64,
    high: f64,
    atoms: usize,
}

impl Support {
    /// `atoms` (at least two) from `low` to `high`.
    pub fn new(low: f64, high: f64, atoms: usize) -> Self {
        Self {
            low,
            high,
            atoms: atoms.max(2),
        }
    }

    /// The range of the returns: from the lowest to the best there is, or to 0, towards which
    /// discounting moves them.
    pub fn of_rewards(objective: &Objective, atoms: usize) -> Self {
        let (lowest, best) = objective.range();
        Self::new(lowest.min(0.0), best.max(0.0), atoms)
    }

    /// Number of atoms.
    pub fn atoms(&self) -> usize {
        self.atoms
    }

    /// The return of an atom.
    pub fn value(&self, atom: usize) -> f64 {
        self.low + self.spacing() * atom as f64
    }

    /// Mean of a distribution over the atoms.
    pub fn mean(&self, probabilities: &[f64]) -> f64 {
        let terms = probabilities.iter().enumerate();
        terms.map(|(atom, p)| p * self.value(atom)).sum()
    }

    /// The distribution of `reward + discount · z`, each atom's probability shared between the two
    /// atoms next to where it lands (Bellemare et al. 2017, algorithm 1). What lands outside goes
    /// to the end.
    pub fn project(&self, probabilities: &[f64], reward: f64, discount: f64) -> Vec<f64> {
        let mut projected = vec![0.0; self.atoms];
        for (atom, probability) in probabilities.iter().enumerate() {
            let landed = (reward + discount * self.value(atom)).clamp(self.low, self.high);
            self.share(landed, *probability, &mut projected);
        }
        projected
    }

    /// The distribution that is certain of one return.
    pub fn certain(&self, value: f64) -> Vec<f64> {
        let mut projected = vec![0.0; self.atoms];
        self.share(value.clamp(self.low, self.high), 1.0, &mut projected);
        projected
    }

    fn share(&self, value: f64, probability: f64, projected: &mut [f64]) {
        let place = (value - self.low) / self.spacing();
        let below = (place.floor() as usize).min(self.atoms - 2);
        let part = place - below as f64;
        projected[below] += probability * (1.0 - part);
        projected[below + 1] += probability * part;
    }

    fn spacing(&self) -> f64 {
        (self.high - self.low) / (self.atoms - 1) as f64
    }
}

#[cfg(test)]
mod tests {
    use crystalgym_environment::RewardForm;
    use crystalgym_evaluation::Property;
    use proptest::prelude::*;

    use super::*;

    /// Oracle: worked out by hand on the atoms −1, 0, 1.
    #[test]
    fn a_projection_by_hand() {
        let support = Support::new(-1.0, 1.0, 3);
        // −1 → −0.25, 0 → 0.25, 1 → 0.75.
        let found = support.project(&[0.2, 0.4, 0.4], 0.25, 0.5);
        for (p, expected) in found.iter().zip([0.05, 0.15 + 0.3 + 0.1, 0.1 + 0.3]) {
            assert!((p - expected).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(support.certain(0.5), [0.0, 0.5, 0.5]);
        assert_eq!(support.certain(3.0), [0.0, 0.0, 1.0]);
        assert_eq!(support.project(&[0.0, 0.0, 1.0], 1.0, 1.0), [0.0, 0.0, 1.0]);
    }

    #[test]
    fn supports_span_the_rewards() {
        let ends = |property, form| {
            let objective = Objective::new(property, 3.0).with_form(form);
            let support = Support::of_rewards(&objective, 51);
            (support.value(0), support.value(50))
        };
        assert_eq!(ends(Property::Density, RewardForm::Final), (-1.0, 1.0));
        assert_eq!(ends(Property::BulkModulus, RewardForm::Final), (-5.0, 0.0));
        assert_eq!(ends(Property::Density, RewardForm::Difference), (-2.0, 2.0));
        let bulk = ends(Property::BulkModulus, RewardForm::Difference);
        assert_eq!(bulk, (-5.0, 5.0));
    }

    proptest! {
        /// Identities: the projection keeps the total and, where nothing is cut off, maps the
        /// mean like every return.
        #[test]
        fn total_and_mean_are_kept(
            raw in prop::collection::vec(0.0..1.0_f64, 11),
            reward in -0.5..0.5_f64,
            discount in 0.0..0.5_f64,
        ) {
            let total: f64 = raw.iter().sum();
            prop_assume!(total > 0.1);
            let p: Vec<f64> = raw.iter().map(|x| x / total).collect();
            let support = Support::new(-1.0, 1.0, 11);
            let projected = support.project(&p, reward, discount);
            prop_assert!((projected.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let expected = reward + discount * support.mean(&p);
            prop_assert!((support.mean(&projected) - expected).abs() < 1e-12);
        }
    }
}
