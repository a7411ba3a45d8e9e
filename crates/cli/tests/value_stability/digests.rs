//! Digests of what runs produce, against those on record.

use std::{collections::BTreeMap, env, fmt::Write as _, fs, path::PathBuf};

use sha2::{Digest as _, Sha256};

/// Set to 1, the digests are written down instead of compared.
const RECORD: &str = "CRYSTALGYM_RECORD_DIGESTS";
/// Arithmetic of what comes out the same on every machine.
const ANY: &str = "any";

/// What a result depends on besides settings and seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dependence {
    /// Nothing: whole numbers and choices that no rounding decides.
    Nothing,
    /// The last bits of real numbers.
    Arithmetic,
}

/// The kind of this machine's arithmetic, if digests of real numbers are on record for it.
///
/// The loops of the networks add in an order that does not depend on the width of the vectors, so
/// AVX2 and AVX-512 agree to the last bit; code without fused multiply-adds rounds twice, and other
/// libraries than GNU's have other exponentials.
fn arithmetic() -> Option<&'static str> {
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    if std::arch::is_x86_feature_detected!("fma") && std::arch::is_x86_feature_detected!("avx2") {
        return Some("x86_64-gnu-fma");
    }
    None
}

/// Run, part of what it produced, and the arithmetic that this part depends on.
type Key = (String, String, String);

/// Digests of the runs of one test.
pub(crate) struct Digests {
    file: PathBuf,
    found: BTreeMap<Key, String>,
    /// Parts of runs that nothing is on record for on this machine.
    unknown: Vec<String>,
}

impl Digests {
    /// Digests that are on record in the file `name`.tsv beside this one.
    pub(crate) fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/value_stability");
        Self {
            file: folder.join(format!("{name}.tsv")),
            found: BTreeMap::new(),
            unknown: Vec::new(),
        }
    }

    /// Adds what a run produced.
    pub(crate) fn add(&mut self, run: &str, part: &str, dependence: Dependence, bytes: &[u8]) {
        assert!(!bytes.is_empty(), "{run}: no {part}");
        let arithmetic = match dependence {
            Dependence::Nothing => ANY,
            Dependence::Arithmetic => match arithmetic() {
                Some(arithmetic) => arithmetic,
                None => return self.unknown.push(format!("{run}, {part}")),
            },
        };
        let key = (run.to_owned(), part.to_owned(), arithmetic.to_owned());
        let digest = hexadecimal(&Sha256::digest(bytes));
        assert!(self.found.insert(key, digest).is_none(), "{run} came twice");
    }

    /// Compares with what is on record, or records it.
    #[allow(clippy::print_stderr, reason = "a test reports through it")]
    pub(crate) fn check(self) {
        if !self.unknown.is_empty() {
            eprintln!(
                "not compared, for nothing is on record for the arithmetic of this machine: {}",
                self.unknown.join("; ")
            );
        }
        // Of machines with another arithmetic nothing can be said here.
        let (comparable, others): (BTreeMap<Key, String>, BTreeMap<Key, String>) = self
            .on_record()
            .into_iter()
            .partition(|((.., kind), _)| kind == ANY || Some(kind.as_str()) == arithmetic());
        if env::var_os(RECORD).is_some_and(|value| value == "1") {
            self.record(others);
            return;
        }
        let mut changes = String::new();
        for ((run, part, _), old, new) in differences(&comparable, &self.found) {
            writeln!(changes, "  {run}, {part}: was {old}, is {new}").unwrap();
        }
        assert!(
            changes.is_empty(),
            "a seed no longer means what it meant ({}):\n{changes}\
             A change that is meant has to be stated in CHANGELOG.md, with the reason. Then record it:\n  \
             {RECORD}=1 cargo test -p crystalgym --test value_stability",
            self.file.display()
        );
    }

    fn on_record(&self) -> BTreeMap<Key, String> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let columns: Vec<&str> = line.split('\t').collect();
                let [run, part, arithmetic, digest] = columns[..] else {
                    panic!("{}: {line:?} is no record", self.file.display());
                };
                let key = (run.to_owned(), part.to_owned(), arithmetic.to_owned());
                (key, digest.to_owned())
            })
            .collect()
    }

    fn record(mut self, others: BTreeMap<Key, String>) {
        self.found.extend(others);
        let mut text = "# run\tpart\tarithmetic\tSHA-256\n".to_owned();
        for ((run, part, arithmetic), digest) in &self.found {
            writeln!(text, "{run}\t{part}\t{arithmetic}\t{digest}").unwrap();
        }
        fs::write(&self.file, text).unwrap();
    }
}

/// What differs or is on one side only.
fn differences(
    old: &BTreeMap<Key, String>,
    new: &BTreeMap<Key, String>,
) -> Vec<(Key, String, String)> {
    let mut all: Vec<&Key> = old.keys().chain(new.keys()).collect();
    all.sort();
    all.dedup();
    let named = |side: &BTreeMap<Key, String>, key: &Key| {
        side.get(key).map_or("not there".to_owned(), String::clone)
    };
    all.into_iter()
        .map(|key| (key.clone(), named(old, key), named(new, key)))
        .filter(|(_, old, new)| old != new)
        .collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
