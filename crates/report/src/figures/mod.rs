//! One file per figure.

mod area;
mod by_skeleton;
mod completion;
pub(crate) mod crystals;
mod failures;
mod failures_by_element;
mod formation_energies;
mod histogram;
mod interquartile;
mod learned;
mod learning;
mod objectives;
mod performance;
mod properties;
mod tasks;
mod text;
mod times;
mod uniqueness;

use crate::{data::ReportData, figure::Figure};

/// All figures that the data are enough for.
pub fn figures(data: &ReportData) -> Vec<Figure> {
    let runs = data.runs();
    let mut figures = learning::figures(&runs, &data.stamp);
    figures.extend(completion::figures(&runs, &data.stamp));
    figures.extend(learned::figures(&data.jobs, &data.stamp));
    figures.extend(performance::figures(&data.jobs, &data.stamp));
    figures.extend(interquartile::figures(&data.jobs, &data.stamp));
    figures.extend(area::figures(&data.jobs, &data.stamp));
    figures.extend(crystals::figures(data, &runs));
    figures.extend(properties::figures(&runs, &data.stamp));
    figures.extend(objectives::figures(&runs, &data.stamp));
    figures.extend(formation_energies::figure(&data.jobs, &data.stamp));
    figures.extend(uniqueness::figure(data, &runs));
    figures.extend(failures::figure(&runs, &data.stamp));
    figures.extend(failures_by_element::figure(&runs, &data.stamp));
    figures.extend(times::figure(&runs, &data.stamp));
    figures
}
