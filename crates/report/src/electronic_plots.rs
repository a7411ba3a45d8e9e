//! Band structures and densities of states as plots.

use crystalgym_evaluation::{BandStructure, GapEdges, StatesPerEv};

use crate::{LinePlot, PlotLine};

/// The bands of a crystal along its path, within a window of energies in eV above the top of the valence
/// bands or the Fermi level.
pub fn band_plot(name: &str, bands: &BandStructure, window_ev: (f64, f64)) -> LinePlot {
    let reference = bands.reference_ev();
    let edges = bands.edges();
    let count = bands.energies_ev.iter().map(Vec::len).min().unwrap_or(0);
    let branches = bands.points.last().map_or(0, |point| point.branch + 1);
    let lines = (0..branches).flat_map(|branch| {
        (0..count).map(move |band| PlotLine {
            series: 0,
            points: (bands.points.iter().zip(&bands.energies_ev))
                .filter(|(point, _)| point.branch == branch)
                .map(|(point, energies)| (point.distance_per_ang, energies[band] - reference))
                .collect(),
        })
    });
    let mut marks: Vec<(f64, String)> = Vec::new();
    for point in &bands.points {
        let Some(label) = point.label else { continue };
        match marks.last_mut() {
            // A jump: two names at one place.
            Some((at, name)) if *at == point.distance_per_ang => *name = format!("{name}|{label}"),
            _ => marks.push((point.distance_per_ang, label.to_owned())),
        }
    }
    LinePlot {
        title: format!("Bands of {name}"),
        y_label: format!("energy in eV above {}", zero(edges.as_ref())),
        lines: lines.collect(),
        marks,
        levels: vec![(0.0, String::new())],
        notes: edges.iter().map(GapEdges::to_string).collect(),
        y_range: Some(window_ev),
        ..LinePlot::default()
    }
}

/// A density of states over energies measured as those of [`band_plot`].
pub fn states_plot(name: &str, states: &StatesPerEv) -> LinePlot {
    let reference = states.reference_ev();
    let points = states.energies_ev.iter().zip(&states.states_per_ev);
    let mesh = states.k_mesh.map(|d| d.to_string()).join("×");
    let mut notes: Vec<String> = states.edges.iter().map(GapEdges::to_string).collect();
    notes.push(format!("states on {mesh} k-points"));
    LinePlot {
        title: format!("Density of states of {name}"),
        x_label: format!("energy in eV above {}", zero(states.edges.as_ref())),
        y_label: "states per eV and cell".to_owned(),
        lines: vec![PlotLine {
            series: 0,
            points: points.map(|(e, g)| (e - reference, *g)).collect(),
        }],
        notes,
        ..LinePlot::default()
    }
}

fn zero(edges: Option<&GapEdges>) -> &'static str {
    match edges {
        Some(edges) if edges.gap_ev() > 0.0 => "the top of the valence bands",
        _ => "the Fermi level",
    }
}
