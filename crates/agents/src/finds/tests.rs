//! Tests of what is kept, of what is new, and of even numbers of electrons.

use std::sync::Arc;

use crystalgym_crystal::Element;
use crystalgym_environment::{
    Appraisal, Episode, TaskConfig,
    random::{random_choice, uniform_below},
};
use crystalgym_evaluation::{Evaluation, Failure, FailureCode, Outcome, Property, Source, Values};
use crystalgym_surrogate::{Filling, Fillings, canonical};
use rand::SeedableRng;

use super::*;

fn task(property: Property, elements: &[&str]) -> Task {
    let elements = elements.iter().map(|symbol| symbol.parse().unwrap());
    Task::new(&TaskConfig {
        skeletons: vec!["C6".into()],
        elements: elements.collect::<Vec<Element>>(),
        property,
        target: 2.0,
        ..TaskConfig::default()
    })
    .unwrap()
}

fn play(task: &Task, finds: &mut Finds, rng: &mut Pcg64) -> State {
    let mut state = task.initial_state(rng);
    while !task.is_terminal(&state) {
        let seen = task.observe(&state);
        let action = random_choice(&finds.explored(task, &seen), rng) as Action;
        finds.acted(task, &seen, action);
        task.apply(&mut state, action.into()).unwrap();
    }
    state
}

/// Oracle: the list of all different fillings. Every one is made once before any is made again, but
/// for those episodes that find out at their end that nothing new is left there.
#[test]
fn known_crystals_are_left_alone_while_there_are_others() {
    let task = task(Property::Density, &["Li", "Na", "K", "F", "Cl"]);
    let all = Fillings::all(&task, 0, 1 << 20).unwrap().len();
    assert_eq!(all, 70);
    let config = FindsConfig {
        new_crystals: true,
        ..FindsConfig::default()
    };
    for seed in 0..5 {
        let mut finds = Finds::new(&config);
        let mut rng = Pcg64::seed_from_u64(seed);
        let mut made = BTreeSet::new();
        let mut repeated = 0;
        while made.len() < all {
            let end = play(&task, &mut finds, &mut rng);
            let is_new = made.insert(canonical(&task, 0, &end.node_types));
            repeated += usize::from(!is_new);
        }
        assert!(repeated <= 10, "{repeated} of seed {seed}");
        // Now nothing is new, and all is allowed again.
        play(&task, &mut finds, &mut rng);
    }
}

/// Oracle: the sum of atomic numbers.
#[test]
fn an_odd_number_of_electrons_is_left_out() {
    let elements = ["H", "Be", "N", "O"];
    let config = FindsConfig {
        parity_mask: true,
        ..FindsConfig::default()
    };
    let protons = |state: &State, task: &Task| {
        let of = |node_type: &u8| task.elements().elements()[usize::from(*node_type)];
        let numbers = state
            .node_types
            .iter()
            .map(|n| u32::from(of(n).atomic_number()));
        numbers.sum::<u32>()
    };
    let odd = |property| {
        let task = task(property, &elements);
        let mut finds = Finds::new(&config);
        let mut rng = Pcg64::seed_from_u64(1);
        let ends = (0..100).map(|_| play(&task, &mut finds, &mut rng));
        ends.filter(|end| protons(end, &task) % 2 == 1).count()
    };
    assert_eq!(odd(Property::BandGap), 0);
    assert!(odd(Property::Density) > 20);
    // Where all is odd in the end, nothing is left out.
    let task = task(Property::BandGap, &["Be", "N", "O"]);
    let finds = Finds::new(&config);
    let mut state = task.initial_state(&mut Pcg64::seed_from_u64(1));
    for action in [0, 0, 0] {
        task.apply(&mut state, action).unwrap();
    }
    let allowed = finds.allowed(&task, &task.observe(&state)).into_owned();
    assert_eq!(allowed, [true, false, true]);
    assert!(
        finds
            .allowed(
                &task,
                &task.observe(&task.initial_state(&mut Pcg64::seed_from_u64(1)))
            )
            .iter()
            .all(|is| *is)
    );
}

fn finished(task: &Task, outcome: Outcome, rng: &mut Pcg64) -> FinishedEpisode {
    let start = task.initial_state(rng);
    let actions =
        (0..start.node_types.len()).map(|_| uniform_below(rng, task.n_actions()) as Action);
    let episode = Episode {
        actions: actions.collect(),
        start,
    };
    let state = episode.last_state(task).unwrap();
    let reward = task.objective().reward().of_outcome(2.0, &outcome);
    FinishedEpisode {
        number: 1,
        environment: 0,
        task: Arc::new(task.clone()),
        crystal: task.crystal(0, &state.node_types).unwrap(),
        episode,
        state,
        target: 2.0,
        reward,
        crystal_reward: reward,
        start_appraisal: None,
        appraisal: Appraisal::Computed(Box::new(Evaluation {
            outcome,
            source: Source::Computed,
            store_error: None,
        })),
    }
}

fn value(value: f64) -> Outcome {
    Outcome::Success(Values {
        value,
        ..Values::default()
    })
}

/// Oracle: all episodes sorted by their return; and for each action the best of them that passes
/// through it, found by playing.
#[test]
fn the_best_are_kept_and_bound_what_leads_to_them() {
    let task = task(Property::Density, &["Li", "Na", "K", "F", "Cl"]);
    let mut rng = Pcg64::seed_from_u64(4);
    let config = FindsConfig {
        elites: 7,
        value_bound: true,
        elite_share: 0.5,
        ..FindsConfig::default()
    };
    let returns = Returns {
        n_step: 1,
        discount: 1.0,
    };
    let mut finds = Finds::new(&config);
    let mut all: Vec<(f64, Filling)> = Vec::new();
    for number in 0..120 {
        let episode = finished(&task, value(1.0 + 0.05 * f64::from(number % 37)), &mut rng);
        let filling = canonical(&task, 0, &episode.state.node_types);
        // A crystal has one value.
        if all.iter().all(|(_, known)| *known != filling) {
            all.push((episode.crystal_reward, filling));
            finds.remember(&task, &episode, returns).unwrap();
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let kept: Vec<f64> = all.iter().take(7).map(|(reward, _)| *reward).collect();
    let drawn = finds.kept.best(2000, &mut rng);
    let ends: Vec<&&Transition> = drawn.iter().filter(|t| t.next.is_none()).collect();
    let mut rewards: Vec<f64> = ends.iter().map(|t| t.reward).collect();
    rewards.sort_by(|a, b| b.total_cmp(a));
    rewards.dedup();
    let mut expected = kept.clone();
    expected.dedup();
    assert_eq!(rewards, expected);
    // The best is drawn most often.
    let count = |reward: f64| ends.iter().filter(|t| t.reward == reward).count();
    assert!(count(kept[0]) > count(kept[6]));

    for transition in drawn {
        let mut after = transition.state.clone();
        task.apply(&mut after, transition.action.into()).unwrap();
        let blank = task.elements().blank();
        let order: Vec<usize> = (0..4)
            .filter(|site| after.node_types[*site] != blank)
            .collect();
        let bound = finds.value_bound(transition).unwrap();
        let passes = |(_, filling): &&(f64, Filling)| {
            let images: BTreeSet<Filling> = crystalgym_surrogate::images(&task, 0, filling)
                .map(|image| image.collect())
                .collect();
            let fits = |image: &Filling| {
                order
                    .iter()
                    .all(|&site| image[site] == after.node_types[site])
            };
            images.iter().any(fits)
        };
        let best = all.iter().take(7).find(passes).unwrap().0;
        assert_eq!(bound, best);
    }
    // From the start everything that the best crystal holds leads to it, and nothing else.
    let start = task.initial_state(&mut rng);
    assert!(
        finds.ways(&start, 2.0).is_none(),
        "no imitation was asked for"
    );
    finds.config.imitation = 0.5;
    let (weight, ways) = finds.ways(&start, 2.0).unwrap();
    let expected: BTreeSet<Action> = all[0].1.iter().map(|&element| element.into()).collect();
    assert_eq!((weight, ways), (0.5, &expected));
    finds.config.imitation = 0.0;
    let read: Finds = serde_json::from_str(&serde_json::to_string(&finds).unwrap()).unwrap();
    assert_eq!(read.restored(&task, &config, returns).unwrap(), finds);
}

#[test]
fn failures_are_kept_by_their_code() {
    let task = task(Property::Density, &["Li", "Na", "K", "F", "Cl"]);
    let mut rng = Pcg64::seed_from_u64(4);
    let config = FindsConfig {
        failures: 3,
        ..FindsConfig::default()
    };
    let returns = Returns {
        n_step: 1,
        discount: 1.0,
    };
    let mut finds = Finds::new(&config);
    let fails = |code| Outcome::Failure(Failure::new(code, ""));
    for code in [FailureCode::ScfNotConverged; 9]
        .into_iter()
        .chain([FailureCode::OddElectronCount, FailureCode::TimeLimit])
    {
        let episode = finished(&task, fails(code), &mut rng);
        finds.remember(&task, &episode, returns).unwrap();
    }
    finds
        .remember(&task, &finished(&task, value(2.0), &mut rng), returns)
        .unwrap();
    // Three of the nine, one of the second code; what depends on the moment says nothing.
    let failed: BTreeSet<Filling> = (finds.kept.failed(500, &mut rng).iter())
        .filter(|t| t.next.is_none())
        .map(|t| {
            let mut end = t.state.clone();
            task.apply(&mut end, t.action.into()).unwrap();
            canonical(&task, 0, &end.node_types)
        })
        .collect();
    assert_eq!(failed.len(), 4);
    assert!(finds.kept.best(5, &mut rng).is_empty());
}

/// Oracle: every action tried by hand. A policy that always puts the first element goes astray where the
/// best crystal or its images ask for another, and half of what it is taught begins there.
#[test]
fn lessons_begin_where_a_policy_goes_astray() {
    let task = task(Property::Density, &["Li", "Na", "K", "F", "Cl"]);
    let mut rng = Pcg64::seed_from_u64(4);
    let returns = Returns {
        n_step: 1,
        discount: 1.0,
    };
    let mut finds = Finds::new(&FindsConfig::standard());
    let episode = finished(&task, value(2.0), &mut rng);
    finds.remember(&task, &episode, returns).unwrap();
    let ends: BTreeSet<Filling> = crystalgym_surrogate::images(&task, 0, &episode.state.node_types)
        .map(|image| image.collect())
        .collect();

    let first = |seen: &[Observation<'_>]| Ok(vec![Some(0); seen.len()]);
    let astray = finds.astray(&task, first).unwrap();
    let blank = task.elements().blank();
    let leads = |state: &State| {
        let fits = |end: &&Filling| {
            (end.iter().zip(&state.node_types)).all(|(a, b)| *b == blank || a == b)
        };
        ends.iter().filter(fits).count()
    };
    let starts = task.skeletons()[0].sites();
    assert_eq!(astray.len(), starts);
    for (state, _) in &astray {
        assert!(leads(state) > 0);
        let mut after = state.clone();
        task.apply(&mut after, 0).unwrap();
        assert_eq!(leads(&after), 0);
    }
    let lessons = finds.lessons(400, &astray, &mut rng);
    let begins_there = |t: &&&Transition| astray.iter().any(|(state, _)| *state == t.state);
    assert!(lessons.iter().filter(begins_there).count() >= 200);
    for lesson in &lessons {
        let mut after = lesson.state.clone();
        task.apply(&mut after, lesson.action.into()).unwrap();
        assert!(leads(&after) > 0);
    }
}
