//! A table's file: what is written reads back to itself, whatever was changed is refused, and a result
//! looked up is the one that was computed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, sync::Arc};

use crystalgym_crystal::{Crystal, Element, Skeleton, canonical_fillings};
use crystalgym_evaluation::{
    Calculator, CalculatorConfig, CancelToken, FailureCode, GthCutoff, Outcome, Property,
    ResultStore, ResultTable, Source, StoreKey, TableCalculator, TableRow, TableSource, evaluate,
};

fn elements() -> Vec<Element> {
    ["Li", "Na", "Cl"]
        .map(|symbol| symbol.parse().unwrap())
        .to_vec()
}

/// The engine at its cheapest, with cutoffs that depend on the elements or not.
fn config(fixed: bool) -> CalculatorConfig {
    let mut config = CalculatorConfig::default();
    config.native.gth_cutoff_ry = fixed.then_some(GthCutoff::Ry(8.0));
    config.native.kppa = Some(1.0);
    config
}

fn table(config: &CalculatorConfig, calculator: &dyn Calculator) -> ResultTable {
    let skeleton = Skeleton::builtin("C6").unwrap();
    let store = ResultStore::in_memory().unwrap();
    let fillings = canonical_fillings(&skeleton, &elements()).unwrap();
    let rows = fillings.iter().map(|filling| {
        let crystal = Crystal::new(Arc::clone(&skeleton), filling.elements.clone()).unwrap();
        let cancel = CancelToken::default();
        let found = evaluate(
            calculator,
            Some(&store),
            &crystal,
            Property::BandGap,
            &cancel,
        );
        TableRow {
            elements: filling.elements.clone(),
            multiplicity: filling.multiplicity,
            outcome: found.outcome,
        }
    });
    let rows: Vec<TableRow> = rows.collect();
    let source = TableSource {
        skeleton: &skeleton,
        elements: &elements(),
        property: Property::BandGap,
        settings: &config.described(),
        calculator,
        fillings: fillings.len(),
    };
    ResultTable::new("a test", &source, rows).unwrap()
}

/// Oracle: the calculator that made the table, asked for every filling in every order of its sites.
#[test]
fn a_result_looked_up_is_the_one_that_was_computed() {
    let config = config(true);
    let maker = config.build().unwrap();
    let made = table(&config, maker.as_ref());
    assert_eq!((made.rows().len(), made.is_whole()), (15, true));
    assert!(
        made.rows()
            .iter()
            .any(|row| row.outcome.failure().is_some())
    );
    let read = ResultTable::from_bytes("a test", made.to_bytes().unwrap()).unwrap();
    assert_eq!(read, made);
    let known = TableCalculator::new(Arc::new(read));
    known.check(&elements(), Property::BandGap).unwrap();
    let skeleton = Skeleton::builtin("C6").unwrap();
    known.check_skeleton(&skeleton).unwrap();
    let store = ResultStore::in_memory().unwrap();
    let cancel = CancelToken::default();
    for index in 0..81usize {
        let filling = (0..4).map(|site| elements()[index / 3usize.pow(site) % 3]);
        let crystal = Crystal::new(Arc::clone(&skeleton), filling.collect()).unwrap();
        let found = evaluate(&known, None, &crystal, Property::BandGap, &cancel);
        assert_eq!(found.source, Source::Store);
        let computed = evaluate(
            maker.as_ref(),
            Some(&store),
            &crystal,
            Property::BandGap,
            &cancel,
        );
        assert_eq!(without_time(found.outcome), without_time(computed.outcome));
        // What a store knows it by is the same too.
        let key = |calculator| StoreKey::new(&crystal, Property::BandGap, calculator);
        assert_eq!(key(&known), key(maker.as_ref()));
    }
    let of = |symbols: &[Element]| known.fingerprint(symbols, Property::BandGap);
    for some in [&elements()[..], &elements()[..1], &[]] {
        assert_eq!(of(some), maker.fingerprint(some, Property::BandGap));
    }
}

fn without_time(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Success(mut values) => {
            values.seconds = 0.0;
            Outcome::Success(values)
        }
        Outcome::Failure(mut failure) => {
            failure.seconds = 0.0;
            Outcome::Failure(failure)
        }
    }
}

/// A table whose cutoffs depend on the elements has as many fingerprints as there are cutoffs.
#[test]
fn fingerprints_by_element_are_kept() {
    let mut config = config(false);
    // Nothing is computed: only what the rows would be known by.
    config.native.kppa = Some(1.0);
    let maker = config.build().unwrap();
    let skeleton = Skeleton::builtin("C6").unwrap();
    let fillings = canonical_fillings(&skeleton, &elements()).unwrap();
    let failure = crystalgym_evaluation::Failure::new(FailureCode::ScfNotConverged, "not tried");
    let rows = fillings.iter().map(|filling| TableRow {
        elements: filling.elements.clone(),
        multiplicity: filling.multiplicity,
        outcome: Outcome::Failure(failure.clone()),
    });
    let source = TableSource {
        skeleton: &skeleton,
        elements: &elements(),
        property: Property::BandGap,
        settings: &config.described(),
        calculator: maker.as_ref(),
        fillings: fillings.len(),
    };
    let made = ResultTable::new("a test", &source, rows.collect()).unwrap();
    let read = ResultTable::from_bytes("a test", made.to_bytes().unwrap()).unwrap();
    for filling in &fillings {
        let own = maker.fingerprint(&filling.elements, Property::BandGap);
        assert_eq!(read.fingerprint(&filling.elements), Some(own));
    }
    let all = maker.fingerprint(&elements(), Property::BandGap);
    assert_eq!(read.fingerprint(&elements()), Some(all));
    let none = maker.fingerprint(&[], Property::BandGap);
    assert_eq!(read.fingerprint(&[]), Some(none));
}

#[test]
fn what_a_table_does_not_hold_is_refused() {
    let config = config(true);
    let maker = config.build().unwrap();
    let made = Arc::new(table(&config, maker.as_ref()));
    let known = TableCalculator::new(Arc::clone(&made));
    let message = |result: Result<(), crystalgym_evaluation::CalculatorError>| {
        result.unwrap_err().to_string()
    };
    let fluorine: Element = "F".parse().unwrap();
    let text = message(known.check(&[fluorine], Property::BandGap));
    assert!(
        text.contains("no fillings with F, only with Li Na Cl"),
        "{text}"
    );
    let text = message(known.check(&elements(), Property::Density));
    assert!(text.contains("it holds band_gap"), "{text}");
    let other = Skeleton::builtin("C4").unwrap();
    let text = message(known.check_skeleton(&other));
    assert!(text.contains("C6") && text.contains("C4"), "{text}");
    let crystal = Crystal::new(other, elements()[..1].repeat(4)).unwrap();
    let cancel = CancelToken::default();
    let found = evaluate(&known, None, &crystal, Property::BandGap, &cancel);
    let failure = found.outcome.failure().unwrap();
    assert_eq!(failure.code, FailureCode::NotInTable);
    assert!(failure.code.depends_on_the_moment());

    // Not a whole one.
    let skeleton = Skeleton::builtin("C6").unwrap();
    let source = TableSource {
        skeleton: &skeleton,
        elements: &elements(),
        property: Property::BandGap,
        settings: &config.described(),
        calculator: maker.as_ref(),
        fillings: 15,
    };
    // What the file of somebody else names for a machine is left out.
    let mut named = config.clone();
    named.name = crystalgym_evaluation::CalculatorName::Qe;
    named.qe.command = vec!["./evil".to_owned()];
    named.pseudopotentials = Some("/somewhere/evil".to_owned());
    named.for_property.insert(Property::BandGap, named.clone());
    let settings = serde_json::to_value(&named).unwrap();
    let theirs = TableSource {
        settings: &settings,
        ..source
    };
    let theirs = ResultTable::new("theirs", &theirs, made.rows().to_vec()).unwrap();
    let read = ResultTable::from_bytes("theirs", theirs.to_bytes().unwrap()).unwrap();
    let kept = CalculatorConfig::of_table(&read).unwrap();
    assert_eq!(kept, named.portable());
    assert_eq!(kept.of(Property::BandGap).qe, Default::default());
    let part = ResultTable::new("part", &source, made.rows()[..9].to_vec()).unwrap();
    assert!(!part.is_whole());
    let part = TableCalculator::new(Arc::new(part));
    let text = message(part.check(&elements(), Property::BandGap));
    assert!(text.contains("9 of 15 fillings"), "{text}");
}

/// A changed number, a changed description, and what is no table.
#[test]
fn a_file_that_was_changed_is_refused() {
    let config = config(true);
    let maker = config.build().unwrap();
    let made = table(&config, maker.as_ref());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.parquet");
    let open = || ResultTable::open(file.to_str().unwrap()).map_err(|error| error.to_string());
    fs::write(&file, made.to_bytes().unwrap()).unwrap();
    assert_eq!(open().unwrap().rows(), made.rows());
    // Each byte of the doubles of one value: the checksum of the rows sees it.
    let value = made
        .rows()
        .iter()
        .find_map(|row| row.outcome.value())
        .unwrap();
    let bytes = made.to_bytes().unwrap();
    let pattern = value.to_le_bytes();
    let place = bytes
        .windows(8)
        .position(|window| window == pattern)
        .unwrap();
    let mut changed = bytes.clone();
    changed[place] ^= 1;
    fs::write(&file, &changed).unwrap();
    assert!(open().is_err());
    fs::write(&file, b"no parquet at all").unwrap();
    assert!(open().unwrap_err().contains("parquet"));
    fs::remove_file(&file).unwrap();
    assert!(open().unwrap_err().contains("t.parquet"));
    let error = ResultTable::open("no_such_name").unwrap_err().to_string();
    assert!(error.contains("there is none of this name"), "{error}");
    let unnamed = CalculatorConfig {
        name: crystalgym_evaluation::CalculatorName::Table,
        ..CalculatorConfig::default()
    };
    let error = unnamed.build().map(drop).unwrap_err().to_string();
    assert!(error.contains("table.file is missing"), "{error}");
}
