//! How a property changes with cutoff and mesh, and which settings reach a tolerance.

use crystalgym_crystal::Crystal;

use crate::{
    Calculator as _, CalculatorConfig, CalculatorError, CancelToken, Evaluation, Outcome, Property,
    ResultStore, Tolerance, evaluate,
};

/// What is changed along a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConvergenceAxis {
    /// The cutoff of the wave functions in Ry, and that of the density in proportion.
    Cutoff,
    /// k-points per reciprocal atom.
    Mesh,
}

impl ConvergenceAxis {
    /// The name used in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cutoff => "cutoff",
            Self::Mesh => "mesh",
        }
    }
}

/// The settings of one calculation of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvergenceSettings {
    /// Cutoff of the wave functions in Ry.
    pub ecutwfc_ry: f64,
    /// Cutoff of the density in Ry.
    pub ecutrho_ry: f64,
    /// k-points per reciprocal atom.
    pub kppa: f64,
}

/// One calculation of a curve.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvergencePoint {
    /// Its settings.
    pub settings: ConvergenceSettings,
    /// Divisions of its mesh.
    pub k_mesh: [u32; 3],
    /// What came of it.
    pub evaluation: Evaluation,
}

impl ConvergencePoint {
    /// The value, unless it failed.
    pub fn value(&self) -> Option<f64> {
        self.evaluation.outcome.value()
    }
}

/// A property at one setting after the other, the most accurate last.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvergenceCurve {
    /// What is changed.
    pub axis: ConvergenceAxis,
    /// In ascending order of it.
    pub points: Vec<ConvergencePoint>,
}

impl ConvergenceCurve {
    /// Computes the points that the store does not have; `each` is shown every one as it is there. Ends
    /// early once it is cancelled.
    ///
    /// # Errors
    /// [`CalculatorError`] for settings that no calculation can have.
    pub fn compute(
        axis: ConvergenceAxis,
        settings: &[ConvergenceSettings],
        config: &CalculatorConfig,
        store: Option<&ResultStore>,
        (crystal, property): (&Crystal, Property),
        cancel: &CancelToken,
        mut each: impl FnMut(&ConvergencePoint),
    ) -> Result<Self, CalculatorError> {
        let mut points = Vec::new();
        for &settings in settings {
            let mut config = config.clone();
            config.native.ecutwfc_ry = Some(settings.ecutwfc_ry);
            config.native.ecutrho_ry = Some(settings.ecutrho_ry);
            config.native.kppa = Some(settings.kppa);
            let calculator = config.build_native()?;
            let known = calculator.calculation_settings(&crystal.structure());
            let evaluation = evaluate(&calculator, store, crystal, property, cancel);
            if cancel.is_cancelled() {
                break;
            }
            // Of the cell that was computed, where that is known.
            let computed = match &evaluation.outcome {
                Outcome::Success(values) => values.settings.as_deref().map(|used| used.k_mesh),
                Outcome::Failure(_) => None,
            };
            let k_mesh = computed.or(known.map(|settings| settings.k_mesh));
            let point = ConvergencePoint {
                settings,
                k_mesh: k_mesh.unwrap_or_default(),
                evaluation,
            };
            each(&point);
            points.push(point);
        }
        Ok(Self { axis, points })
    }

    /// The value at the last, most accurate settings.
    pub fn reference(&self) -> Option<f64> {
        self.points.last()?.value()
    }

    /// A point's value minus that of the last one.
    pub fn error(&self, point: &ConvergencePoint) -> Option<f64> {
        Some(point.value()? - self.reference()?)
    }

    /// The cheapest point from which on all values are within the tolerance of the last one, which is not
    /// one itself: nothing vouches for it.
    pub fn converged(&self, tolerance: Tolerance) -> Option<&ConvergencePoint> {
        let reference = self.reference()?;
        let (_, before) = self.points.split_last()?;
        let is_within = |point: &&ConvergencePoint| {
            self.error(point)
                .is_some_and(|error| error.abs() <= tolerance.at(reference))
        };
        before.iter().rev().take_while(is_within).last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, FailureCode, Source, Values};

    fn curve(values: &[Option<f64>]) -> ConvergenceCurve {
        let point = |(index, value): (usize, &Option<f64>)| ConvergencePoint {
            settings: ConvergenceSettings {
                ecutwfc_ry: 10.0 * (index + 1) as f64,
                ecutrho_ry: 40.0 * (index + 1) as f64,
                kppa: 100.0,
            },
            k_mesh: [2; 3],
            evaluation: Evaluation {
                outcome: match value {
                    Some(value) => Outcome::Success(Values {
                        value: *value,
                        ..Values::default()
                    }),
                    None => Outcome::Failure(Failure::new(FailureCode::ScfNotConverged, "")),
                },
                source: Source::Computed,
                store_error: None,
            },
        };
        ConvergenceCurve {
            axis: ConvergenceAxis::Cutoff,
            points: values.iter().enumerate().map(point).collect(),
        }
    }

    /// By hand.
    #[test]
    fn what_is_within_must_stay_within() {
        let tolerance = Tolerance {
            absolute: 0.05,
            relative: 0.0,
        };
        let reached = |values: &[Option<f64>]| {
            let curve = curve(values);
            curve
                .converged(tolerance)
                .map(|point| point.settings.ecutwfc_ry)
        };
        // By chance the first is near, the second is not.
        let values = [1.0, 1.4, 1.04, 0.97, 1.0].map(Some);
        assert_eq!(reached(&values), Some(30.0));
        assert_eq!(
            reached(&[Some(1.0), None, Some(1.0), Some(1.0)]),
            Some(30.0)
        );
        assert_eq!(reached(&[Some(1.0), Some(2.0)]), None);
        assert_eq!(reached(&[Some(1.0), None]), None);
        assert_eq!(reached(&[Some(1.0)]), None);
        let per_cent = Tolerance {
            absolute: 0.0,
            relative: 0.01,
        };
        let curve = curve(&[98.0, 99.5, 100.0].map(Some));
        let found = curve.converged(per_cent).unwrap();
        assert_eq!(found.settings.ecutwfc_ry, 20.0);
        assert_eq!(curve.error(found), Some(-0.5));
    }
}
