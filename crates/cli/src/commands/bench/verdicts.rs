//! Where two calculators come to different verdicts on the same crystals.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
};

use anyhow::Context;
use serde::Deserialize;

/// What a calculator has made of a crystal.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Verdict {
    /// Label of the skeleton.
    pub(super) skeleton: String,
    /// Elements in site order, separated by blanks.
    pub(super) elements: String,
    /// `success` or the code of the failure.
    pub(super) outcome: String,
    /// Value of the property; none of a failure.
    pub(super) value: Option<f64>,
}

/// Reads the columns of a CSV file that `bench coverage --csv` has written.
pub(super) fn read_verdicts(path: &Path) -> anyhow::Result<Vec<Verdict>> {
    csv::Reader::from_path(path)
        .and_then(|mut reader| reader.deserialize().collect())
        .with_context(|| {
            format!(
                "{}: expected a file of `bench coverage --csv`",
                path.display()
            )
        })
}

/// Counts the pairs of verdicts on crystals that both have seen, and names those that differ.
pub(super) fn write_comparison(
    out: &mut dyn Write,
    ours: &[Verdict],
    theirs: &[Verdict],
) -> io::Result<()> {
    let known: BTreeMap<(&str, &str), &Verdict> = theirs
        .iter()
        .map(|verdict| ((&*verdict.skeleton, &*verdict.elements), verdict))
        .collect();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut differing = Vec::new();
    let mut largest_difference: f64 = 0.0;
    for our in ours {
        let Some(their) = known.get(&(&*our.skeleton, &*our.elements)) else {
            continue;
        };
        *counts.entry((&our.outcome, &their.outcome)).or_default() += 1;
        if our.outcome != their.outcome {
            differing.push((our, *their));
        }
        if let (Some(a), Some(b)) = (our.value, their.value) {
            largest_difference = largest_difference.max((a - b).abs());
        }
    }
    let compared: usize = counts.values().sum();
    let agreeing = compared - differing.len();
    writeln!(
        out,
        "\n| verdict here | verdict there | crystals |\n|---|---|---|"
    )?;
    for ((our, their), count) in counts {
        writeln!(out, "| {our} | {their} | {count} |")?;
    }
    writeln!(
        out,
        "\n{agreeing} of {compared} verdicts agree; largest difference of two values: \
         {largest_difference:.4}"
    )?;
    for (our, their) in differing {
        writeln!(
            out,
            "{} {}: {} here, {} there",
            our.skeleton, our.elements, our.outcome, their.outcome
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(elements: &str, outcome: &str, value: Option<f64>) -> Verdict {
        Verdict {
            skeleton: "C6".to_owned(),
            elements: elements.to_owned(),
            outcome: outcome.to_owned(),
            value,
        }
    }

    /// Oracle: counted by hand.
    #[test]
    fn pairs_are_counted_and_differences_named() {
        let ours = [
            verdict("Li F", "success", Some(1.0)),
            verdict("Na F", "success", Some(2.0)),
            verdict("Na K", "scf_not_converged", None),
        ];
        let theirs = [
            verdict("Na K", "scf_not_converged", None),
            verdict("Li F", "success", Some(1.25)),
            verdict("Na F", "scf_not_converged", None),
            verdict("K F", "success", None),
        ];
        let mut out = Vec::new();
        write_comparison(&mut out, &ours, &theirs).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("| success | scf_not_converged | 1 |"),
            "{text}"
        );
        assert!(text.contains("2 of 3 verdicts agree"), "{text}");
        assert!(text.contains("two values: 0.2500"), "{text}");
        assert!(
            text.contains("C6 Na F: success here, scf_not_converged there"),
            "{text}"
        );
    }
}
