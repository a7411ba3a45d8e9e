//! The crystals of a benchmark judged as those of a generative model (paper, Table 6).

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Write as _,
    path::Path,
};

use crystalgym_crystal::{Crystal, EnclosedFolder, Structure};
use crystalgym_evaluation::{
    Calculator, CancelToken, FailureCode, Outcome, Property, ResultStore, evaluate,
};
use crystalgym_metrics::{
    Composition as Formula, Diversity, MatchTolerances, OxidationStates, StructureMatcher,
    Validity, first_of_each,
};
use crystalgym_stability::ReferenceSet;

use crate::{
    BenchmarkError, BenchmarkFolder, Table,
    reader::read_jobs,
    result::{Compositions, read_rows},
};

/// Energy above the hull in eV/atom up to which a crystal is metastable.
const METASTABLE_EV_ATOM: f64 = 0.1;

/// Largest table that is read back.
const MOST_TABLE_BYTES: u64 = 1 << 20;

/// How the crystals are judged.
pub struct GenBenchOptions<'a> {
    /// Whether the crystals of training count too, and not only those of the final rollouts.
    pub training: bool,
    /// What has energies above the hull of the reference set.
    pub calculator: &'a dyn Calculator,
    /// Where its results are shared.
    pub store: Option<&'a ResultStore>,
    /// The set that stability is measured from, and that a composition is new to.
    pub references: &'a ReferenceSet,
    /// Once cancelled, no further crystal is judged.
    pub cancel: &'a CancelToken,
}

/// What came of a crystal.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedCrystal {
    /// Label of the skeleton.
    pub skeleton: String,
    /// Symbols in site order, separated by blanks, in canonical order.
    pub elements: String,
    /// Whether it could be a crystal at all.
    pub validity: Validity,
    /// Whether no valid crystal before it is the same.
    pub unique: bool,
    /// Whether the reference set does not have the composition.
    pub new: bool,
    /// Energy above the hull in eV/atom, or why there is none; `None` for crystals that are not
    /// valid, which nobody asks about.
    pub above_hull: Option<Result<f64, FailureCode>>,
}

/// The table, in the order of LeMat-GenBench: what is not valid is not asked about further.
#[derive(Debug, Clone, PartialEq)]
pub struct GenBench {
    /// Name of the reference set.
    pub references: String,
    /// What the energies are by.
    pub calculator: String,
    /// All different crystals.
    pub crystals: Vec<JudgedCrystal>,
    /// Of the valid ones.
    pub diversity: Diversity,
}

/// Judges the different crystals that a benchmark's agents made: fillings that a symmetry of the
/// skeleton turns into each other count once, unrelaxed as they are unless the calculator relaxes.
///
/// `None` if cancelled.
///
/// # Errors
/// [`BenchmarkError`] if a folder does not work.
pub fn genbench(
    benchmark: &Path,
    options: &GenBenchOptions<'_>,
) -> Result<Option<GenBench>, BenchmarkError> {
    let mut compositions = Compositions::default();
    let mut all = BTreeSet::new();
    for job in &read_jobs(benchmark)?.jobs {
        let folder = BenchmarkFolder::at(benchmark).job(&job.manifest.id);
        let (episodes, rollouts) = read_rows(&folder)?;
        let training = episodes.iter().filter(|_| options.training);
        let training = training.map(|row| (&row.skeleton, &row.elements));
        let rollouts = rollouts.iter().map(|row| (&row.skeleton, &row.elements));
        for (skeleton, elements) in training.chain(rollouts) {
            let found = compositions.of(skeleton, elements);
            all.insert(found.map_err(|message| BenchmarkError::folder(&folder, message))?);
        }
    }
    let states = OxidationStates::default();
    let known: HashSet<&Formula> = (options.references.phases().iter())
        .map(|phase| &phase.composition)
        .collect();
    let mut judged = Vec::with_capacity(all.len());
    let mut valid: Vec<(usize, Crystal)> = Vec::new();
    for filling in all {
        let crystal = compositions
            .crystal(&filling.skeleton, &filling.elements)
            .map_err(|message| BenchmarkError::folder(benchmark, message))?;
        let validity = Validity::of(&crystal.structure(), &states);
        if validity.is_valid() {
            valid.push((judged.len(), crystal.clone()));
        }
        judged.push(JudgedCrystal {
            skeleton: filling.skeleton,
            elements: filling.elements,
            validity,
            unique: false,
            new: !known.contains(&Formula::of(crystal.elements())),
            above_hull: None,
        });
    }
    mark_unique(&mut judged, &valid, benchmark)?;
    for (index, crystal) in &valid {
        let outcome = evaluate(
            options.calculator,
            options.store,
            crystal,
            Property::EnergyAboveHull,
            options.cancel,
        )
        .outcome;
        if options.cancel.is_cancelled() {
            return Ok(None);
        }
        judged[*index].above_hull = Some(match outcome {
            Outcome::Success(values) => Ok(values.value),
            Outcome::Failure(failure) => Err(failure.code),
        });
    }
    let structures: Vec<Structure> = valid.iter().map(|(_, c)| c.structure()).collect();
    Ok(Some(GenBench {
        references: options.references.name().to_owned(),
        calculator: options.calculator.name().to_owned(),
        crystals: judged,
        diversity: Diversity::of(&structures),
    }))
}

fn mark_unique(
    judged: &mut [JudgedCrystal],
    valid: &[(usize, Crystal)],
    benchmark: &Path,
) -> Result<(), BenchmarkError> {
    let failed = |error: crystalgym_metrics::MetricsError| BenchmarkError::folder(benchmark, error);
    let matcher = StructureMatcher::new(MatchTolerances::default()).map_err(failed)?;
    let prepared = valid
        .iter()
        .map(|(_, crystal)| matcher.prepare(&crystal.structure()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    let firsts = first_of_each(&matcher, &prepared);
    for ((index, _), is_first) in valid.iter().zip(firsts) {
        judged[*index].unique = is_first;
    }
    Ok(())
}

/// The table of a benchmark whose crystals have been judged, for its report; `None` of another.
pub fn judged_table(benchmark: &Path) -> Option<Table> {
    let folder = EnclosedFolder::at(benchmark);
    let text = folder
        .read_text(GenBench::TABLE_FILE, MOST_TABLE_BYTES)
        .ok()?;
    let cells = |line: &str| {
        let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let (what, value) = line.split_once(" | ")?;
        Some(vec![what.to_owned(), value.to_owned()])
    };
    let rows: Vec<Vec<String>> = text.lines().skip(2).filter_map(cells).collect();
    (!rows.is_empty()).then(|| Table {
        name: "genbench",
        title: "As a generative model (paper, Table 6)".to_owned(),
        note: "What `bench genbench` found: validity of all different crystals, then the rest of the valid ones. \
               The rows name the reference set and the method, since both decide the numbers.",
        columns: vec!["of the crystals", "value"],
        rows,
    })
}

impl GenBench {
    /// Name of the file of the table.
    pub const TABLE_FILE: &'static str = "genbench.md";
    /// Name of the file of the crystals.
    pub const CRYSTALS_FILE: &'static str = "genbench.csv";

    fn valid(&self) -> impl Iterator<Item = &JudgedCrystal> {
        self.crystals.iter().filter(|c| c.validity.is_valid())
    }

    /// Energies above the hull of the valid crystals that have one, in eV/atom.
    pub fn energies_above_hull(&self) -> Vec<f64> {
        let energies = self.valid().filter_map(|crystal| crystal.above_hull);
        energies.filter_map(Result::ok).collect()
    }

    /// Why valid crystals have no energy above the hull, and how many.
    pub fn failures(&self) -> BTreeMap<FailureCode, usize> {
        let mut counts = BTreeMap::new();
        for code in self.valid().filter_map(|crystal| crystal.above_hull?.err()) {
            *counts.entry(code).or_insert(0) += 1;
        }
        counts
    }

    /// The rows of the table: what, and its value.
    pub fn rows(&self) -> Vec<(String, String)> {
        let all = self.crystals.len();
        let valid = self.valid().count();
        let count = |of: &dyn Fn(&JudgedCrystal) -> bool| self.valid().filter(|c| of(c)).count();
        let share = |part: usize, whole: usize| match whole {
            0 => "–".to_owned(),
            _ => format!(
                "{:.1} % ({part} of {whole})",
                100.0 * part as f64 / whole as f64
            ),
        };
        let energies = self.energies_above_hull();
        let judged = energies.len();
        let below = |most: f64| energies.iter().filter(|e| **e <= most).count();
        let mean = match judged {
            0 => "–".to_owned(),
            _ => format!(
                "{:.3} eV/atom",
                energies.iter().sum::<f64>() / judged as f64
            ),
        };
        let diversity = &self.diversity;
        let (set, by) = (&self.references, &self.calculator);
        let row = |what: String, value: String| (what, value);
        let mut rows = vec![
            row("valid".to_owned(), share(valid, all)),
            row(
                "unique, of the valid".to_owned(),
                share(count(&|c| c.unique), valid),
            ),
            row(
                format!("composition not in {set}, of the valid"),
                share(count(&|c| c.new), valid),
            ),
            row(
                "elements covered".to_owned(),
                share(diversity.elements, Diversity::ELEMENTS),
            ),
            row(
                "space groups covered".to_owned(),
                share(diversity.space_groups, Diversity::SPACE_GROUPS),
            ),
            row(
                format!("stable by {by}, hull of {set}"),
                share(below(0.0), judged),
            ),
            row(
                format!("metastable, at most {METASTABLE_EV_ATOM} eV/atom above it"),
                share(below(METASTABLE_EV_ATOM), judged),
            ),
            row("mean energy above the hull".to_owned(), mean),
        ];
        for (code, number) in self.failures() {
            rows.push(row(
                format!("valid without an energy: {code}"),
                number.to_string(),
            ));
        }
        rows
    }

    /// The table as Markdown.
    pub fn to_markdown(&self) -> String {
        let mut text = String::from("| of the crystals | |\n|---|---|\n");
        for (what, value) in self.rows() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "| {what} | {value} |");
        }
        text
    }

    /// All crystals as CSV.
    pub fn to_csv(&self) -> String {
        let mut text = String::from(
            "skeleton,elements,charge_balanced,distances,plausible,unique,new_composition,\
             energy_above_hull_ev_per_atom,failure\n",
        );
        for crystal in &self.crystals {
            let validity = &crystal.validity;
            let (energy, failure) = match crystal.above_hull {
                Some(Ok(energy)) => (energy.to_string(), ""),
                Some(Err(code)) => (String::new(), code.name()),
                None => (String::new(), ""),
            };
            let _ = writeln!(
                text,
                "{},{},{},{},{},{},{},{energy},{failure}",
                crystal.skeleton,
                crystal.elements,
                validity.charge_balanced,
                validity.distances,
                validity.plausible,
                crystal.unique,
                crystal.new,
            );
        }
        text
    }
}
