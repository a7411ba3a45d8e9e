//! Pictures of the best crystals.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crystalgym_benchmark::{FoundCrystal, FoundCrystals};
use crystalgym_crystal::{Crystal, Element, Skeleton, formula};

use super::{
    tasks::{TaskRuns, by_task},
    text::four,
};
use crate::{
    canvas::{Anchor, Canvas},
    data::{ReportData, Run},
    element_colours::element_colour,
    figure::{DataTable, Figure, Panel, Section},
    palette::style_of,
    scene::Scene,
};

/// Width and height of a picture, and height of what is written below.
pub(crate) const PICTURE: (f64, f64) = (238.0, 214.0);
pub(crate) const TEXT_HEIGHT: f64 = 92.0;

/// The best crystals of each experiment and property, one of each skeleton with its picture.
pub(super) fn figures(data: &ReportData, runs: &[Run<'_>]) -> Vec<Figure> {
    let tasks = by_task(runs);
    let figures = tasks.iter().filter_map(|task| figure(task, data));
    figures.collect()
}

fn figure(task: &TaskRuns<'_, '_>, data: &ReportData) -> Option<Figure> {
    // Of equal crystals the first run that has one is named.
    let mut all = FoundCrystals::default();
    let mut makers: BTreeMap<(&str, &[Element]), String> = BTreeMap::new();
    for run in &task.runs {
        for crystal in &run.training.found.best {
            let algorithm = style_of(run.label.algorithm).name;
            makers
                .entry((crystal.skeleton.as_str(), crystal.elements.as_slice()))
                .or_insert_with(|| {
                    let (seed, episode) = (run.label.seed, crystal.episode);
                    format!("{algorithm}, seed {seed}, episode {episode}")
                });
            all.offer(crystal.clone());
        }
    }
    let maker = |crystal: &FoundCrystal| {
        let key = (crystal.skeleton.as_str(), crystal.elements.as_slice());
        makers.get(&key).cloned().unwrap_or_default()
    };
    let unit = task.property.unit();
    let mut skeletons = BTreeSet::new();
    let mut panels = Vec::new();
    let mut sentences = Vec::new();
    for crystal in &all.best {
        if !skeletons.insert(crystal.skeleton.as_str()) {
            continue;
        }
        let name = formula(&crystal.elements);
        let (value, skeleton) = (crystal.value, &crystal.skeleton);
        sentences.push(format!("{name} on {skeleton}: {value:.3} {unit}"));
        if let Some(skeleton) = data.skeletons.get(&crystal.skeleton)
            && let Some(panel) = panel(crystal, skeleton, unit, &maker(crystal), task, panels.len())
        {
            panels.push(panel);
        }
    }
    if sentences.is_empty() {
        return None;
    }
    let rows = all.best.iter().map(|crystal| {
        let symbols: Vec<&str> = crystal.elements.iter().map(|e| e.symbol()).collect();
        vec![
            crystal.skeleton.clone(),
            formula(&crystal.elements),
            symbols.join(" "),
            four(crystal.value),
            four(crystal.episodic_return),
            maker(crystal),
        ]
    });
    Some(Figure {
        name: format!("best_crystals-{}", task.name()),
        section: Section::Crystals,
        title: format!(
            "Nearest to the target: {} \u{b7} {}",
            task.title(),
            data.stamp
        ),
        caption: format!(
            "The crystal with the highest return of each skeleton, of all algorithms and seeds; \
             target {} {unit}. Atoms on a face of the cell are shown on each; bonds to the \
             nearest neighbours within 1.2 times the sum of the covalent radii; colours near Jmol's.",
            task.target_text
        ),
        alternative_text: format!("Pictures of crystals. {}.", sentences.join("; ")),
        choice: None,
        table: DataTable {
            columns: vec![
                "skeleton",
                "formula",
                "elements by site",
                "value",
                "return",
                "found by",
            ],
            rows: rows.collect(),
        },
        panels,
        legend: Vec::new(),
    })
}

fn panel(
    found: &FoundCrystal,
    skeleton: &Arc<Skeleton>,
    unit: &str,
    maker: &str,
    task: &TaskRuns<'_, '_>,
    index: usize,
) -> Option<Panel> {
    let crystal = Crystal::new(Arc::clone(skeleton), found.elements.clone()).ok()?;
    let structure = crystal
        .oriented_structure()
        .unwrap_or_else(|_| crystal.structure());
    let scene = Scene::of(&structure);
    let (width, height) = PICTURE;
    let mut canvas = Canvas::new(width, height + TEXT_HEIGHT);
    let prefix = format!("a{index}-{}", task.name());
    scene.draw(&mut canvas, PICTURE, &prefix);
    let mut elements = found.elements.clone();
    elements.sort_unstable();
    elements.dedup();
    // Eight elements still have to fit.
    let (pitch, radius, beside) = match elements.len() {
        0..=6 => (38.0, 5.5, 9.0),
        count => ((width - 6.0) / count as f64, 4.5, 6.5),
    };
    let mut x = 0.5 * (width - pitch * elements.len() as f64) + 6.0;
    for element in elements {
        let fill = element_colour(element);
        let circle = format!(r##"fill="{fill}" stroke="#3a3d42" stroke-width="0.8""##);
        canvas.circle((x, height + 8.0), radius, &circle);
        let at = (x + beside, height + 12.0);
        canvas.text(at, Anchor::Start, "text", element.symbol());
        x += pitch;
    }
    let middle = 0.5 * width;
    let name = with_subscripts(&crystal.formula());
    canvas.text((middle, height + 38.0), Anchor::Middle, "head", &name);
    let value = format!(
        "{:.3} {unit} \u{b7} return {:.3}",
        found.value, found.episodic_return
    );
    canvas.text((middle, height + 57.0), Anchor::Middle, "text", &value);
    let origin = format!("{} \u{b7} {maker}", found.skeleton);
    canvas.text((middle, height + 75.0), Anchor::Middle, "small", &origin);
    Some(Panel {
        canvas,
        scene: Some(serde_json::to_string(&scene).ok()?),
    })
}

fn with_subscripts(formula: &str) -> String {
    let digit = |c: char| {
        let value = c.to_digit(10)?;
        char::from_u32(0x2080 + value)
    };
    formula.chars().map(|c| digit(c).unwrap_or(c)).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_of_a_formula_are_subscripts() {
        assert_eq!(
            super::with_subscripts("CaH3Rb10"),
            "CaH\u{2083}Rb\u{2081}\u{2080}"
        );
    }
}
