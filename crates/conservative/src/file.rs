//! Crystals with values out of files: structures, elements on a skeleton, formulas, exhaustive tables.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use crystalgym_crystal::{
    Element, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure, StructureFormat, read_bytes,
};
use crystalgym_environment::{Task, random::uniform_below};
use crystalgym_evaluation::{Outcome, ResultTable};
use crystalgym_metrics::Composition;
use flate2::read::MultiGzDecoder;
use rand::SeedableRng;
use rand_pcg::Pcg64;
use sha2::{Digest, Sha256};

use crate::{Example, Examples, ObjectiveModelError, Truth};

/// Most bytes of a file once unpacked.
const MOST_BYTES: u64 = 1 << 28;
/// Columns of formulas.
const FORMULAS: [&str; 3] = ["formula", "pretty_formula", "composition"];

impl Examples {
    /// Reads what is known of crystals of a task's elements.
    ///
    /// `value_columns` are names that the column of values may have, the first that is there counts.
    ///
    /// A file that ends in `.parquet` is an exhaustive table of one of the task's skeletons (`crystalgym
    /// table export`), of the task's property. Others are CSV, packed by gzip or not, with the values in
    /// the property's unit and one of
    ///
    /// - `cif`: a structure as CIF text, as in MP-20; it becomes a skeleton of its own;
    /// - `skeleton` and `elements`: a filling of one of the task's skeletons, as in a run's `episodes.csv`; a
    ///   line with a code in the column `failure` is a failure;
    /// - `formula`, `pretty_formula` or `composition`: every skeleton of the task that a whole number of
    ///   formula units fills, in one arrangement, drawn by the seed.
    ///
    /// An export of a store is refused: its atoms are not in the order of a skeleton's sites.
    ///
    /// Lines with elements that the task does not have are left out and counted, unless `all_elements` are to
    /// be taken. Of more than `most`
    /// crystals so many are drawn by the seed; 0 takes all.
    ///
    /// # Errors
    /// [`ObjectiveModelError::Io`]; [`ObjectiveModelError::File`] with the line, the field and its value.
    pub fn read(
        path: &Path,
        task: &Task,
        value_columns: &[&str],
        all_elements: bool,
        most: usize,
        seed: u64,
    ) -> Result<Self, ObjectiveModelError> {
        let bytes = read_bytes(path).map_err(|source| ObjectiveModelError::Io {
            path: path.to_owned(),
            source,
        })?;
        let sha256 = Sha256::digest(&bytes);
        let sha256: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut rng = Pcg64::seed_from_u64(seed);
        let mut reader = Reader {
            path: path.to_owned(),
            task,
            places: (task.elements().elements().iter().enumerate())
                .map(|(place, element)| (*element, place as u8))
                .collect(),
            all_elements,
            found: Self::default(),
        };
        let is_table = path.extension().is_some_and(|end| end == "parquet");
        match is_table {
            true => reader.table(bytes)?,
            false => reader.lines(&unpacked(path, bytes)?, value_columns, &mut rng)?,
        }
        let mut found = reader.found;
        if found.all.is_empty() {
            let message = format!(
                "none of its {} lines is of the task's elements and skeletons, expected at least one",
                found.left_out
            );
            return Err(ObjectiveModelError::File {
                path: path.to_owned(),
                line: None,
                message,
            });
        }
        found.sha256 = sha256;
        if most > 0 && most < found.all.len() {
            // The first so many of a shuffle, in the order of the file.
            let mut order: Vec<usize> = (0..found.all.len()).collect();
            for place in 0..most {
                let other = place + uniform_below(&mut rng, order.len() - place);
                order.swap(place, other);
            }
            let mut chosen = order[..most].to_vec();
            chosen.sort_unstable();
            found.all = chosen.iter().map(|&i| found.all[i].clone()).collect();
        }
        Ok(found)
    }
}

fn unpacked(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, ObjectiveModelError> {
    if !bytes.starts_with(b"\x1f\x8b") {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    let read = MultiGzDecoder::new(bytes.as_slice())
        .take(MOST_BYTES + 1)
        .read_to_end(&mut unpacked);
    read.map_err(|source| ObjectiveModelError::Io {
        path: path.to_owned(),
        source,
    })?;
    match unpacked.len() as u64 > MOST_BYTES {
        false => Ok(unpacked),
        true => Err(ObjectiveModelError::File {
            path: path.to_owned(),
            line: None,
            message: format!("it unpacks to more than {MOST_BYTES} bytes"),
        }),
    }
}

/// What a line holds beside its value.
enum Form {
    Cif(usize),
    Filling { skeleton: usize, elements: usize },
    Formula(usize),
}

struct Reader<'t> {
    path: PathBuf,
    task: &'t Task,
    /// Node type of each element.
    places: BTreeMap<Element, u8>,
    all_elements: bool,
    found: Examples,
}

impl Reader<'_> {
    fn wrong(&self, line: Option<u64>, message: String) -> ObjectiveModelError {
        ObjectiveModelError::File {
            path: self.path.clone(),
            line,
            message,
        }
    }

    fn table(&mut self, bytes: Vec<u8>) -> Result<(), ObjectiveModelError> {
        let name = self.path.to_string_lossy().into_owned();
        let table = ResultTable::from_bytes(&name, bytes)
            .map_err(|error| self.wrong(None, error.to_string()))?;
        let (found, expected) = (table.description().property, self.task.property());
        if found != expected {
            let message = format!("it is a table of {found}, expected {expected}");
            return Err(self.wrong(None, message));
        }
        let of = &table.description().skeleton;
        let skeletons = self.task.skeletons();
        let skeleton = skeletons
            .iter()
            .position(|skeleton| of.is_that_of(skeleton));
        let Some(skeleton) = skeleton else {
            let labels: Vec<&str> = skeletons.iter().map(|s| s.label.as_str()).collect();
            let message = format!(
                "it is a table of {}, expected one of the task's skeletons: {}",
                of.label,
                labels.join(", ")
            );
            return Err(self.wrong(None, message));
        };
        for row in table.rows() {
            let truth = match &row.outcome {
                Outcome::Success(values) if values.value.is_finite() => Truth::Value(values.value),
                Outcome::Success(_) | Outcome::Failure(_) => Truth::Failure,
            };
            self.take(skeleton, &row.elements, truth);
        }
        Ok(())
    }

    fn lines(
        &mut self,
        text: &[u8],
        value_columns: &[&str],
        rng: &mut Pcg64,
    ) -> Result<(), ObjectiveModelError> {
        let mut reader = csv::Reader::from_reader(text);
        let headers = reader
            .headers()
            .map_err(|error| self.wrong(None, error.to_string()))?
            .clone();
        let column = |name: &str| headers.iter().position(|header| header == name);
        let listed = || headers.iter().collect::<Vec<_>>().join(", ");
        let mut named = value_columns.iter();
        let named = named.find_map(|name| Some((*name, column(name)?)));
        let Some((value_column, values)) = named else {
            let expected = value_columns.join("' or '");
            let message = format!("no column '{expected}'; found {}", listed());
            return Err(self.wrong(None, message));
        };
        if column("key").is_some() && column("calculator").is_some() {
            let message = "it is an export of a store, whose rows name the atoms of structures and not the sites of a \
                           skeleton, for properties and settings of all kinds; expected a run's episodes.csv, \
                           a table (`crystalgym table export`), structures or formulas";
            return Err(self.wrong(None, message.to_owned()));
        }
        let failures = column("failure");
        let form = match (column("skeleton"), column("elements"), column("cif")) {
            (Some(skeleton), Some(elements), _) => Form::Filling { skeleton, elements },
            (_, _, Some(cif)) => Form::Cif(cif),
            _ => match FORMULAS.iter().find_map(|name| column(name)) {
                Some(formula) => Form::Formula(formula),
                None => {
                    let message = format!(
                        "no crystals: expected a column cif, {}, or skeleton and elements; found {}",
                        FORMULAS.join(", "),
                        listed()
                    );
                    return Err(self.wrong(None, message));
                }
            },
        };
        let path = self.path.clone();
        for record in reader.records() {
            let record = record.map_err(|error| self.wrong(None, error.to_string()))?;
            let line = record.position().map(csv::Position::line);
            let field = |place: usize| record.get(place).unwrap_or_default().trim();
            let is_failure = failures.is_some_and(|place| !field(place).is_empty());
            let truth = match (is_failure, field(values).parse::<f64>()) {
                (true, _) => Truth::Failure,
                (false, Ok(value)) if value.is_finite() => Truth::Value(value),
                (false, _) => {
                    let message = format!(
                        "{value_column} is '{}', expected a finite number",
                        field(values)
                    );
                    return Err(self.wrong(line, message));
                }
            };
            let named = |name: &str, message: String| ObjectiveModelError::File {
                path: path.clone(),
                line,
                message: format!("{name}: {message}"),
            };
            match form {
                Form::Filling { skeleton, elements } => {
                    let label = field(skeleton);
                    let mut skeletons = self.task.skeletons().iter();
                    let Some(place) = skeletons.position(|skeleton| skeleton.label == label) else {
                        self.found.left_out += 1;
                        continue;
                    };
                    let symbols = field(elements).split_whitespace();
                    let filling: Vec<Element> = symbols
                        .map(|symbol| symbol.parse())
                        .collect::<Result<_, _>>()
                        .map_err(|error: crystalgym_crystal::CrystalError| {
                            named("elements", error.to_string())
                        })?;
                    let sites = self.task.skeletons()[place].sites();
                    if filling.len() != sites {
                        let message = format!("{} of them, expected {sites}", filling.len());
                        return Err(named("elements", message));
                    }
                    self.take(place, &filling, truth);
                }
                Form::Cif(cif) => {
                    let structure = Structure::from_text(field(cif), StructureFormat::Cif)
                        .map_err(|error| named("cif", error.to_string()))?;
                    if self.node_types(&structure.elements).is_none() {
                        self.found.left_out += 1;
                        continue;
                    }
                    let label = format!("line {}", line.unwrap_or_default());
                    let skeleton =
                        Skeleton::from_structure(&label, &structure, SYMMETRY_TOLERANCE_ANG)
                            .map_err(|error| named("cif", error.to_string()))?;
                    let place = self.task.skeletons().len() + self.found.skeletons.len();
                    self.found.skeletons.push(Arc::new(skeleton));
                    self.take(place, &structure.elements, truth);
                }
                Form::Formula(formula) => {
                    let composition: Composition = field(formula).parse().map_err(
                        |error: crystalgym_metrics::MetricsError| {
                            named("formula", error.to_string())
                        },
                    )?;
                    self.take_formula(&composition, truth, rng);
                }
            }
        }
        Ok(())
    }

    /// Node types of elements in site order; `None` if one is not asked for.
    fn node_types(&mut self, elements: &[Element]) -> Option<Box<[u8]>> {
        for element in elements {
            if self.all_elements && !self.places.contains_key(element) {
                self.places.insert(*element, self.places.len() as u8);
                self.found.elements.push(*element);
            }
        }
        let places = elements
            .iter()
            .map(|element| self.places.get(element).copied());
        places.collect()
    }

    fn take(&mut self, skeleton: usize, elements: &[Element], truth: Truth) {
        match self.node_types(elements) {
            Some(node_types) => self.found.all.push(Example {
                skeleton,
                node_types,
                truth,
            }),
            None => self.found.left_out += 1,
        }
    }

    /// The formula on every skeleton that it fills.
    fn take_formula(&mut self, composition: &Composition, truth: Truth, rng: &mut Pcg64) {
        let units: usize = composition.counts().map(|(_, count)| count as usize).sum();
        let mut fits = false;
        for (place, skeleton) in self.task.skeletons().iter().enumerate() {
            if !skeleton.sites().is_multiple_of(units) {
                continue;
            }
            let times = skeleton.sites() / units;
            let mut sites: Vec<Element> = composition
                .counts()
                .flat_map(|(element, count)| std::iter::repeat_n(element, count as usize * times))
                .collect();
            for last in (1..sites.len()).rev() {
                sites.swap(last, uniform_below(rng, last + 1));
            }
            if let Some(node_types) = self.node_types(&sites) {
                fits = true;
                self.found.all.push(Example {
                    skeleton: place,
                    node_types,
                    truth,
                });
            }
        }
        self.found.left_out += usize::from(!fits);
    }
}
