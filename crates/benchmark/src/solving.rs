//! How soon a job found what was wanted, and how soon its policy did.

use crystalgym_environment::Reward;
use crystalgym_evaluation::Property;
use crystalgym_training::Look;

/// Share of the best return that is known by which a task is solved.
pub(crate) const SOLVED: f64 = 0.95;

/// What a job found, counted in different crystals asked for: the calculations that it makes on a
/// store of its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SolvingMeasure {
    /// Up to the first value that hits the target, itself included.
    pub calls_to_hit: Option<u64>,
    /// Different crystals that hit it.
    pub solutions: u64,
    /// Different crystals that failed.
    pub failures: u64,
    /// Different crystals so far, by episode.
    pub calls: Vec<u32>,
    /// Largest return so far, by episode.
    pub best: Vec<f32>,
    /// Looks at the greedy policy while it learned; none if none were taken.
    pub looks: Vec<Look>,
}

impl SolvingMeasure {
    /// Takes an episode; of a crystal that is new, with what was said of it.
    pub(crate) fn add(&mut self, calls: u64, news: Option<News>, episodic_return: f64) {
        match news {
            Some(News::Hit) => {
                self.solutions += 1;
                self.calls_to_hit.get_or_insert(calls);
            }
            Some(News::Failure) => self.failures += 1,
            Some(News::Other) | None => {}
        }
        let best = self.best.last().copied().unwrap_or(f32::NEG_INFINITY);
        self.best.push(best.max(episodic_return as f32));
        self.calls.push(calls as u32);
    }

    /// Different crystals asked for up to the first of two looks in a row (or the last one) at which
    /// the greedy policy had reached `goal`.
    pub fn calls_to_solved(&self, goal: f64) -> Option<u64> {
        let reached = |look: &Look| look.mean_return >= goal;
        let mut looks = self
            .looks
            .iter()
            .zip(self.looks.iter().skip(1).map(Some).chain([None]));
        let (first, _) = looks.find(|(look, next)| reached(look) && next.is_none_or(reached))?;
        self.calls_at(first)
    }

    /// Different crystals asked for up to a look.
    pub fn calls_at(&self, look: &Look) -> Option<u64> {
        let last = usize::try_from(look.episodes).ok()?.checked_sub(1)?;
        self.calls.get(last).map(|calls| u64::from(*calls))
    }
}

/// What a crystal that was not asked for before came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// Its value hits the target.
    Hit,
    /// It failed.
    Failure,
    /// Its value is another.
    Other,
}

/// How far from its target a value hits: the task's tolerance, or else 0.1 eV of a gap and 5 % of the
/// target of all else.
pub(crate) fn hit_tolerance(property: Property, target: f64, tolerance: f64) -> f64 {
    match property {
        _ if tolerance > 0.0 => tolerance,
        Property::BandGap => 0.1,
        Property::BulkModulus | Property::Density | Property::ShearModulus => 0.05 * target,
    }
}

/// The return that solves a task: 0.95 of the best, as far as the range of the reward goes below 0 for
/// a best that is negative.
pub(crate) fn goal(property: Property, best: f64) -> f64 {
    match best > 0.0 {
        true => SOLVED * best,
        false => best + (1.0 - SOLVED) * Reward::of(property).of_failure(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(episodes: u64, mean_return: f64) -> Look {
        Look {
            episodes,
            step: 4 * episodes,
            mean_return,
            least_return: mean_return,
        }
    }

    /// Oracle: counted by hand.
    #[test]
    fn calls_are_counted_up_to_hits_and_lasting_looks() {
        let mut measure = SolvingMeasure::default();
        for (calls, news, value) in [
            (1, Some(News::Failure), -1.0),
            (2, Some(News::Other), 0.2),
            (2, None, 0.2),
            (3, Some(News::Hit), 0.99),
            (4, Some(News::Hit), 0.98),
        ] {
            measure.add(calls, news, value);
        }
        assert_eq!(
            (measure.calls_to_hit, measure.solutions, measure.failures),
            (Some(3), 2, 1)
        );
        assert_eq!(measure.best, [-1.0, 0.2, 0.2, 0.99, 0.99]);
        let solved = |looks: &[Look]| {
            let measure = SolvingMeasure {
                looks: looks.to_vec(),
                ..measure.clone()
            };
            measure.calls_to_solved(0.95)
        };
        assert_eq!(solved(&[]), None);
        // The first look is lost again; the third is followed by another.
        let looks = [look(1, 0.97), look(2, 0.1), look(4, 0.96), look(5, 0.99)];
        assert_eq!(solved(&looks), Some(3));
        assert_eq!(solved(&[look(2, 0.1), look(5, 0.95)]), Some(4));
        assert_eq!(solved(&[look(2, 0.97), look(5, 0.9)]), None);
    }

    #[test]
    fn goals_and_tolerances() {
        assert_eq!(goal(Property::BandGap, 1.0), 0.95);
        assert!((goal(Property::BulkModulus, -0.1) + 0.35).abs() < 1e-12);
        assert_eq!(hit_tolerance(Property::BandGap, 2.0, 0.0), 0.1);
        assert_eq!(hit_tolerance(Property::BandGap, 2.0, 0.3), 0.3);
        assert_eq!(hit_tolerance(Property::BulkModulus, 300.0, 0.0), 15.0);
    }
}
