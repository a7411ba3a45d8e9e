//! Areas under the learning curves by skeleton.

use crystalgym_benchmark::JobMeasure;

use super::performance::Measure;
use crate::figure::{Figure, Section};

/// Areas under the learning curves (paper, Table 5).
pub(super) fn figures(jobs: &[JobMeasure], stamp: &str) -> Vec<Figure> {
    let measure = Measure {
        name: "area_under_curve",
        title: "Area under the learning curve",
        caption: "Σ (R̄ − R₀) Δs over the arrivals of rewards: R̄ the mean return of the episodes whose \
                  rewards arrived at one step, R₀ the return of a failure (−1; bulk modulus −5), Δs \
                  the environment steps since the arrival before. Larger for whoever learns sooner; \
                  runs of different length cannot be compared. The paper's Table 5 gives no formula. \
                  Mark: mean over seeds; line and dots: the seeds.",
        y_label: "Area (return × steps)",
        section: Section::Performance,
        value: |job| job.training.area_under_curve,
        held_out: |_| None,
        shows: |_| true,
    };
    measure.figures(jobs, stamp)
}
