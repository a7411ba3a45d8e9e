//! The names of settings: their short forms, and what was meant by one that there is not.

use toml::{Table, Value};

/// The table of a configuration whose parts are known by their own names too: `native.kppa` is
/// `calculator.native.kppa`.
const CALCULATOR: &str = "calculator";
/// Those parts.
const CALCULATOR_PARTS: [&str; 4] = ["native", "qe", "table", "pseudopotentials"];
/// Known names that an unknown one may be taken for.
const MOST_HINTS: usize = 3;

/// Settings that are absent unless somebody gives them, so that no table of defaults has them.
const ABSENT_BY_DEFAULT: [&str; 15] = [
    "calculator.native.ecutwfc_ry",
    "calculator.native.ecutrho_ry",
    "calculator.native.gth_cutoff_ry",
    "calculator.native.kppa",
    "calculator.native.even_mesh",
    "calculator.native.pulay_correction",
    "calculator.pseudopotentials",
    "calculator.table.file",
    "llm.top_k",
    "screening.name",
    "task.objective",
    "task.tolerance",
    "task.steps",
    "task.reward_form",
    "task.start_site",
];

/// The same settings under their full names.
pub(crate) fn with_full_keys(mut table: Table) -> Table {
    for part in CALCULATOR_PARTS {
        let Some(value) = table.remove(part) else {
            continue;
        };
        let calculator = table
            .entry(CALCULATOR)
            .or_insert_with(|| Value::Table(Table::new()));
        match calculator {
            // Both spellings in one file: the full name is the one that counts.
            Value::Table(calculator) => match (calculator.get_mut(part), value) {
                (None, value) => drop(calculator.insert(part.to_owned(), value)),
                (Some(Value::Table(full)), Value::Table(short)) => {
                    for (key, value) in short {
                        full.entry(key).or_insert(value);
                    }
                }
                _ => {}
            },
            _ => drop(table.insert(part.to_owned(), value)),
        }
    }
    table
}

/// The dotted key that an error of serde about a field calls unknown.
pub(crate) fn unknown_key(field: &str, message: &str) -> Option<String> {
    let name = message
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split('`').next())?;
    Some(match field {
        "." => name.to_owned(),
        _ if field == name || field.ends_with(&format!(".{name}")) => field.to_owned(),
        _ => format!("{field}.{name}"),
    })
}

/// All dotted keys of a table.
pub(crate) fn keys_of(table: &Table) -> Vec<String> {
    fn walk(prefix: &str, table: &Table, keys: &mut Vec<String>) {
        for (key, value) in table {
            let key = match prefix {
                "" => key.clone(),
                _ => format!("{prefix}.{key}"),
            };
            if let Value::Table(inner) = value {
                walk(&key, inner, keys);
            }
            keys.push(key);
        }
    }
    let mut keys = Vec::new();
    walk("", table, &mut keys);
    let parent = |key: &str| {
        key.split('.')
            .next()
            .is_some_and(|name| table.contains_key(name))
    };
    let absent = ABSENT_BY_DEFAULT.into_iter().filter(|key| parent(key));
    keys.extend(absent.map(str::to_owned));
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// `; did you mean 'calculator.native.gth_cutoff_ry'?`, or nothing where no known key comes near: one
/// with the same last part elsewhere, else one of nearly the same spelling.
pub(crate) fn hint(unknown: &str, known: &[String]) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
    let wanted = last(unknown);
    let mut near: Vec<(usize, &String)> = known
        .iter()
        .filter_map(|key| {
            let name = last(key);
            let apart = edits(&wanted, &name);
            let most = (wanted.chars().count().max(name.chars().count()) / 4).max(1);
            (apart <= most).then_some((apart, key))
        })
        .collect();
    near.sort_by_key(|(apart, key)| (*apart, edits(unknown, key)));
    let least = near.first().map(|(apart, _)| *apart);
    let best = near.iter().take_while(|(apart, _)| Some(*apart) == least);
    let names: Vec<String> = best
        .take(MOST_HINTS)
        .map(|(_, key)| format!("'{key}'"))
        .collect();
    match names.is_empty() {
        true => String::new(),
        false => format!("; did you mean {}?", names.join(" or ")),
    }
}

/// Levenshtein's distance: letters to put in, take out or replace.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (place, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConfigLayers, TrainingConfig};

    fn resolve(assignments: &[&str]) -> Result<TrainingConfig, String> {
        let mut layers = ConfigLayers::default();
        for assignment in assignments {
            layers.add_assignment(assignment).unwrap();
        }
        TrainingConfig::resolve(&layers, None).map_err(|error| error.to_string())
    }

    /// Oracle: the configuration itself, which refuses what it does not know.
    #[test]
    fn what_is_absent_by_default_is_known() {
        for key in ABSENT_BY_DEFAULT {
            let error = resolve(&[&format!("{key}.no=1")]).unwrap_err();
            let name = key.rsplit('.').next().unwrap();
            assert!(
                !error.contains(&format!("unknown field `{name}`")),
                "{error}"
            );
        }
        let error = resolve(&["calculator.native.missing=1"]).unwrap_err();
        assert!(error.contains("unknown field `missing`"), "{error}");
    }

    /// Oracle: the textbook's example, and ones by hand.
    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(
            (edits("", "ab"), edits("ab", ""), edits("ab", "ab")),
            (2, 2, 0)
        );
    }

    #[test]
    fn short_and_full_names_mean_the_same() {
        let full = resolve(&["calculator.native.kppa=77", "calculator.qe.pw.kppa=55"]).unwrap();
        assert_eq!(resolve(&["native.kppa=77", "qe.pw.kppa=55"]).unwrap(), full);
        assert_eq!(full.calculator.native.kppa, Some(77.0));
        // A file with both: the full name counts.
        let text = "[native]\nkppa = 1\nthreads = 3\n[calculator.native]\nkppa = 2\n";
        let mut layers = ConfigLayers::default();
        layers
            .add_text(text, std::path::Path::new("a.toml"))
            .unwrap();
        let native = TrainingConfig::resolve(&layers, None)
            .unwrap()
            .calculator
            .native;
        assert_eq!((native.kppa, native.threads.get()), (Some(2.0), 3));
    }

    #[test]
    fn what_was_meant_is_named() {
        for (wrong, meant) in [
            ("gth_cutoff_ry=16", "'calculator.native.gth_cutoff_ry'"),
            ("calculator.kppa=16", "'calculator.native.kppa'"),
            ("calculator.native.kpa=16", "'calculator.native.kppa'"),
            ("dqn.batch=8", ""),
            ("dqn.batchsize=8", "'dqn.batch_size'"),
            ("task.targets=8", "'task.target'"),
            ("target=8", "'task.target'"),
        ] {
            let error = resolve(&[wrong]).unwrap_err();
            assert!(error.starts_with(&format!("--set {wrong}: ")), "{error}");
            match meant {
                "" => assert!(!error.contains("did you mean"), "{error}"),
                meant => assert!(
                    error.contains("did you mean") && error.contains(meant),
                    "{error}"
                ),
            }
        }
    }
}
