//! The data card: what a data set holds, how it was computed, and how to cite it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crystalgym_evaluation::{
    Outcome, Property, StoredResult, WarningCode, markdown, markdown_code,
};
use serde_json::Value;

use crate::{
    COLUMNS, Kind,
    file_names::{STRUCTURES, TABLE},
};

/// What a data card says beyond the results themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetDescription {
    /// Title.
    pub title: String,
    /// Licence identifier as data hubs use it, such as `cc-by-4.0`.
    pub license: String,
}

impl Default for DatasetDescription {
    fn default() -> Self {
        Self {
            title: "CrystalGym results".to_owned(),
            // That of the Materials Project, whose lattices the benchmark fills.
            license: "cc-by-4.0".to_owned(),
        }
    }
}

/// What every card says, by which a folder is known to be a data set of ours.
pub(crate) const MADE_BY: &str = "made with the Rust implementation of CrystalGym";

/// Settings that are listed one by one.
const MOST_SETTINGS: usize = 12;

/// The data card in the form that Hugging Face reads: YAML head and Markdown.
pub(crate) fn card(
    results: &[StoredResult],
    description: &DatasetDescription,
    checksums: &[(&str, String)],
) -> String {
    let mut text = head(results, description);
    let crystals: BTreeSet<(&str, &str)> = results
        .iter()
        .map(|result| (result.skeleton.as_str(), result.elements.as_str()))
        .collect();
    let skeletons: BTreeSet<&str> = crystals.iter().map(|(skeleton, _)| *skeleton).collect();
    let _ = write!(
        text,
        "# {}\n\n\
         {} results of calculations on {} crystals, made by filling {} lattices ({}) with elements. \
         Reinforcement learning agents and random draws chose the fillings, so that crystals close \
         to the targets of the benchmark are over-represented and most are not stable. Failed \
         calculations are rows like any other. Nothing is relaxed: lattice and positions are those \
         of the skeleton.\n\n",
        description.title,
        results.len(),
        crystals.len(),
        skeletons.len(),
        skeletons
            .into_iter()
            .map(markdown)
            .collect::<Vec<_>>()
            .join(", "),
    );
    text += &properties(results);
    text += &calculators(results);
    text += &counts(results);
    text += &warned(results);
    text += &files(checksums);
    text += &columns();
    let _ = write!(
        text,
        "## Licence and citation\n\n\
         {}. The lattices of C1 to C7 are from the Materials Project (CC BY 4.0; A. Jain et al., APL \
         Materials 1, 011002 (2013), doi:10.1063/1.4812323). The task is that of the CrystalGym \
         paper; the calculations were {MADE_BY}, version {}.\n",
        description.license,
        env!("CARGO_PKG_VERSION"),
    );
    text
}

fn head(results: &[StoredResult], description: &DatasetDescription) -> String {
    let size = match results.len() {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        _ => "1M<n<10M",
    };
    // JSON strings are YAML strings.
    let quoted = |text: &str| Value::from(text).to_string();
    format!(
        "---\n\
         pretty_name: {}\n\
         license: {}\n\
         task_categories:\n- tabular-regression\n\
         tags:\n- chemistry\n- materials-science\n- crystals\n- density-functional-theory\n\
         size_categories:\n- {size}\n\
         configs:\n- config_name: default\n  data_files: {TABLE}\n\
         ---\n\n",
        quoted(&description.title),
        quoted(&description.license),
    )
}

fn properties(results: &[StoredResult]) -> String {
    let present: BTreeSet<&str> = results
        .iter()
        .map(|result| result.property.as_str())
        .collect();
    let mut text = String::from("## Properties\n\n| property | unit | meaning |\n|---|---|---|\n");
    for property in Property::ALL {
        let meaning = property.facts().meaning;
        if present.contains(property.name()) {
            let _ = writeln!(text, "| {property} | {} | {meaning} |", property.unit());
        }
    }
    text + "\nEnergies of gaps belong to fixed occupations and are upper bounds for metals; those of \
            bulk moduli and densities belong to smeared ones.\n\n"
}

/// Calculators by their settings, with all pseudopotentials that they used.
fn calculators(results: &[StoredResult]) -> String {
    type Settings = (String, String, String);
    let mut found: BTreeMap<Settings, (usize, BTreeMap<String, String>)> = BTreeMap::new();
    for result in results {
        let mut settings: Value = serde_json::from_str(&result.fingerprint)
            .unwrap_or_else(|_| Value::from(result.fingerprint.clone()));
        let pseudopotentials = settings
            .as_object_mut()
            .and_then(|map| map.remove("pseudopotentials"));
        let key = (
            result.calculator.clone(),
            result.property.clone(),
            settings.to_string(),
        );
        let (count, all) = found.entry(key).or_default();
        *count += 1;
        for (element, identity) in pseudopotentials
            .iter()
            .filter_map(Value::as_object)
            .flatten()
        {
            let identity = identity
                .as_str()
                .map_or_else(|| identity.to_string(), str::to_owned);
            all.insert(element.clone(), identity);
        }
    }
    let mut text = String::from("## How they were computed\n\n");
    let more = found.len().saturating_sub(MOST_SETTINGS);
    let mut found: Vec<_> = found.into_iter().collect();
    // The most frequent first; among equals the order of their names.
    found.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for ((calculator, property, settings), (count, pseudopotentials)) in
        found.into_iter().take(MOST_SETTINGS)
    {
        let _ = writeln!(
            text,
            "- {}, {}, {count} results: {}",
            markdown_code(&calculator),
            markdown(&property),
            markdown_code(&settings)
        );
        if !pseudopotentials.is_empty() {
            let list: Vec<String> = pseudopotentials
                .iter()
                .map(|(element, identity)| markdown(&format!("{element} {identity}")))
                .collect();
            let _ = writeln!(text, "  Pseudopotentials: {}.", list.join(", "));
        }
    }
    if more > 0 {
        let _ = writeln!(
            text,
            "- {more} more settings: see the column `fingerprint`."
        );
    }
    text + "\n"
}

/// What is to be said against the values, by code.
fn warned(results: &[StoredResult]) -> String {
    let mut counts: BTreeMap<WarningCode, usize> = BTreeMap::new();
    for result in results {
        if let Outcome::Success(values) = &result.outcome {
            for warning in &values.warnings {
                *counts.entry(warning.code).or_default() += 1;
            }
        }
    }
    let mut text = String::from("## Warnings\n\n");
    if counts.is_empty() {
        return text + "None.\n\n";
    }
    text += "| warning | results | meaning |\n|---|---|---|\n";
    for (code, count) in counts {
        let _ = writeln!(text, "| `{code}` | {count} | {} |", code.meaning());
    }
    text + "\n"
}

fn counts(results: &[StoredResult]) -> String {
    let mut counts: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    for result in results {
        let outcome = result
            .outcome
            .failure()
            .map_or("success", |failure| failure.code.name());
        *counts
            .entry((&result.calculator, &result.property, outcome))
            .or_default() += 1;
    }
    let mut text = String::from(
        "## Counts\n\n| calculator | property | outcome | results |\n|---|---|---|---|\n",
    );
    for ((calculator, property, outcome), count) in counts {
        let (calculator, property) = (markdown(calculator), markdown(property));
        let _ = writeln!(text, "| {calculator} | {property} | {outcome} | {count} |");
    }
    text + "\n"
}

fn files(checksums: &[(&str, String)]) -> String {
    let mut text = format!(
        "## Files\n\n`{TABLE}` has all results; `{STRUCTURES}` the structures of the successes, one \
         frame each, with the value under the property's name and the energy in eV. SHA-256:\n\n"
    );
    for (name, sum) in checksums {
        let _ = writeln!(text, "- `{name}`: `{sum}`");
    }
    text + "\n"
}

fn columns() -> String {
    let mut text = format!("## Columns of {TABLE}\n\n| column | type | meaning |\n|---|---|---|\n");
    for column in COLUMNS {
        let kind = match column.kind {
            Kind::Text => "string",
            Kind::Number => "double",
            Kind::Integer => "int32",
            Kind::Numbers => "list of double",
            Kind::Integers => "list of int32",
        };
        let _ = writeln!(text, "| `{}` | {kind} | {} |", column.name, column.meaning);
    }
    text + "\n"
}
