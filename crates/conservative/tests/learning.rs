//! A model learns densities of a small board; what its ascent finds is held down; saved is the same.

// Helpers outside of #[test] functions unwrap too.
#![allow(clippy::unwrap_used)]

use crystalgym_conservative::{
    Ascent, Attack, Climb, Example, Examples, ObjectiveModel, ObjectiveModelConfig, Truth,
    Weighting,
};
use crystalgym_environment::{Task, TaskConfig};
use crystalgym_evaluation::Property;
use crystalgym_networks::Checkpoint;

fn task() -> Task {
    Task::new(&TaskConfig {
        skeletons: vec!["C4".into()],
        elements: ["H", "Na", "K", "Cl", "Br"]
            .map(|e| e.parse().unwrap())
            .into(),
        property: Property::Density,
        target: 3.0,
        ..TaskConfig::default()
    })
    .unwrap()
}

/// Rigid densities of every third filling; what has bromine on the last site fails.
fn examples(task: &Task) -> Vec<Example> {
    let sites = task.skeletons()[0].sites();
    let numbers = (0..5_usize.pow(sites as u32)).step_by(3);
    let examples = numbers.map(|number| {
        let place = |site: usize| (number / 5_usize.pow(site as u32) % 5) as u8;
        let node_types: Box<[u8]> = (0..sites).map(place).collect();
        let density = task
            .crystal(0, &node_types)
            .unwrap()
            .structure()
            .density_g_cm3();
        let truth = match node_types[sites - 1] {
            4 => Truth::Failure,
            _ => Truth::Value(density),
        };
        Example {
            skeleton: 0,
            node_types,
            truth,
        }
    });
    examples.collect()
}

fn small() -> ObjectiveModelConfig {
    ObjectiveModelConfig {
        hidden: 8,
        blocks: 1,
        members: 2,
        epochs: 12,
        learning_rate: 5e-3,
        ascent_steps: 4,
        ..ObjectiveModelConfig::standard()
    }
}

/// Oracle: the variance of the data, which is 1 in their own scale. A member that predicts the mean has that
/// error on what it leaves out.
#[test]
fn densities_are_learned() {
    let task = task();
    let examples = examples(&task);
    let config = ObjectiveModelConfig {
        epochs: 60,
        ..small()
    };
    let mut model = ObjectiveModel::new(config, &task, &Examples::default(), 3).unwrap();
    let epochs = model.pretrain(&examples).unwrap();
    for member in [1, 2] {
        let errors = epochs.iter().filter(|epoch| epoch.member == member);
        let best = errors
            .filter_map(|epoch| epoch.validation_error)
            .fold(9.0, f64::min);
        assert!(best < 0.1, "member {member}: {best}");
    }
    let crystals: Vec<Attack<'_>> = examples
        .iter()
        .map(|example| Attack {
            skeleton: 0,
            node_types: &example.node_types,
        })
        .collect();
    let beliefs = model.predict(&crystals).unwrap();
    let (mut squares, mut count) = (0.0, 0.0);
    for (belief, example) in beliefs.iter().zip(&examples) {
        if let Truth::Value(value) = example.truth {
            squares += (belief.value() - value).powi(2);
            count += 1.0;
        }
        assert_eq!(belief.values.len(), 2);
    }
    let spread = model.objective().scale.spread;
    assert!((squares / count).sqrt() < 0.3 * spread);
}

/// What a model is trained against: without the conservative part the ascent ends far above the data,
/// with it lower.
#[test]
fn what_the_ascent_finds_is_held_down() {
    let task = task();
    // Light crystals only, so that heavy ones are beyond what is known.
    let light: Vec<Example> = examples(&task)
        .into_iter()
        .filter(|example| matches!(example.truth, Truth::Value(value) if value < 2.0))
        .collect();
    let found = |weight: f64| {
        let config = ObjectiveModelConfig {
            members: 1,
            climb: Climb::Value,
            weighting: Weighting::Fixed,
            weight,
            epochs: 12,
            ..small()
        };
        let mut model = ObjectiveModel::new(config, &task, &Examples::default(), 5).unwrap();
        let epochs = model.pretrain(&light).unwrap();
        epochs.last().unwrap().losses.gap
    };
    let (free, held) = (found(0.0), found(1.0));
    assert!(held < 0.5 * free, "gap {free} without, {held} with");
}

/// Identity: any number of threads gives the same model; a saved one goes on as the first would.
#[test]
fn threads_and_stops_change_nothing() {
    let task = task();
    let examples = examples(&task);
    let model = |threads| {
        let config = ObjectiveModelConfig {
            threads,
            epochs: 1,
            ..small()
        };
        ObjectiveModel::new(config, &task, &Examples::default(), 3).unwrap()
    };
    let mut one = model(1);
    let epochs = one.pretrain(&examples).unwrap();
    let mut two = model(2);
    assert_eq!(two.pretrain(&examples).unwrap(), epochs);

    let mut checkpoint = Checkpoint::new();
    let saved = one.save("learned", &mut checkpoint);
    let bytes = checkpoint.to_bytes().unwrap();
    let mut restored = model(1);
    let checkpoint = Checkpoint::from_bytes(&bytes).unwrap();
    restored.restore("learned", &checkpoint, saved).unwrap();
    let (new, before) = examples.split_at(40);
    let goes_on = one.fine_tune(new, before, 3).unwrap();
    assert_eq!(restored.fine_tune(new, before, 3).unwrap(), goes_on);
    let crystals: Vec<Attack<'_>> = examples[..9]
        .iter()
        .map(|example| Attack {
            skeleton: 0,
            node_types: &example.node_types,
        })
        .collect();
    assert_eq!(
        one.predict(&crystals).unwrap(),
        restored.predict(&crystals).unwrap()
    );
    let others = one.save("learned", &mut Checkpoint::new());
    let missing = model(1).restore("learned", &Checkpoint::new(), others);
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("learned.network.0")
    );
}

/// Oracle: all crystals of the board, one by one. An ascent with enough steps ends well above the mean of
/// its starts.
#[test]
fn an_ascent_climbs() {
    let task = task();
    let examples = examples(&task);
    let config = ObjectiveModelConfig {
        members: 1,
        climb: Climb::Value,
        ascent_steps: 0,
        ..small()
    };
    let mut model = ObjectiveModel::new(config, &task, &Examples::default(), 3).unwrap();
    model.pretrain(&examples).unwrap();
    let starts: Vec<Attack<'_>> = examples[..40]
        .iter()
        .map(|example| Attack {
            skeleton: 0,
            node_types: &example.node_types,
        })
        .collect();
    let ascent = Ascent {
        steps: 40,
        rate: 0.5,
        clip: 2.7,
        elements: 5,
    };
    let ends = model.climb(&ascent, &starts).unwrap();
    let ends: Vec<Attack<'_>> = ends
        .iter()
        .map(|end| Attack {
            skeleton: 0,
            node_types: end,
        })
        .collect();
    let mut mean = |crystals: &[Attack<'_>]| {
        let beliefs = model.predict(crystals).unwrap();
        beliefs.iter().map(|belief| belief.value()).sum::<f64>() / crystals.len() as f64
    };
    let (before, after) = (mean(&starts), mean(&ends));
    let all: Vec<f64> = (0..625)
        .map(|number| {
            let place = |site: u32| (number / 5_usize.pow(site) % 5) as u8;
            let node_types = [place(0), place(1), place(2), place(3)];
            mean(&[Attack {
                skeleton: 0,
                node_types: &node_types,
            }])
        })
        .collect();
    let highest = all.into_iter().fold(f64::NEG_INFINITY, f64::max);
    assert!(
        after > before + 0.8 * (highest - before),
        "from {before} to {after}, the highest is {highest}"
    );
}

#[test]
fn settings_out_of_range_are_named() {
    let task = task();
    let error = |config| match ObjectiveModel::new(config, &task, &Examples::default(), 1) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let message = error(ObjectiveModelConfig {
        members: 0,
        ..small()
    });
    assert!(
        message.contains("members is 0, expected 1 to 64"),
        "{message}"
    );
    let message = error(ObjectiveModelConfig {
        ascent_rate: f64::NAN,
        ..small()
    });
    assert!(message.contains("ascent_rate is NaN"), "{message}");
}
