//! A small Llama against `transformers` and `peft`: logits, loss, gradients, twenty steps of training.
//!
//! Oracle: `.ci/language_oracle tiny`, whose weights follow from the same formula.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Oracle, formula_model, set_lora};
use crystalgym_language::{
    Cache, Continuation, LoraConfig, PassOptions, Sequence, TokenRows, Trainable, TrainedPart,
    Work, completion_losses,
};

const WORK: Work = Work {
    micro_batch_tokens: 24,
    checkpointing: false,
    threads: 2,
};

fn lora() -> LoraConfig {
    LoraConfig {
        rank: 4,
        alpha: 6.0,
        dropout: 0.0,
        ..LoraConfig::default()
    }
}

fn trainable(model: &crystalgym_language::Llama) -> Trainable {
    let part = TrainedPart::Lora(lora());
    let mut trainable = Trainable::new(model, part, &TokenRows::default(), 1).unwrap();
    set_lora(&mut trainable);
    trainable
}

#[test]
fn logits_losses_gradients_and_steps_are_those_of_transformers() {
    let model = formula_model();
    let oracle = Oracle::read("tiny_llama.json");
    oracle.check(&model, &mut trainable(&model), WORK);
}

/// Both ways of the backward pass, and any number of threads, give the same numbers to the bit.
#[test]
fn checkpointing_and_threads_change_nothing() {
    let model = formula_model();
    let mut trained = trainable(&model);
    let examples = Oracle::read("tiny_llama.json").batch(0);
    let mut found = Vec::new();
    for (checkpointing, threads) in [(false, 1), (true, 1), (false, 3)] {
        let work = Work {
            checkpointing,
            threads,
            ..WORK
        };
        let mut gradients = vec![0.0; trained.values().len()];
        let losses = completion_losses(
            &model,
            &trained,
            &examples,
            work,
            Some(7),
            Some(&mut gradients),
        );
        found.push((losses.unwrap(), gradients));
    }
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0], found[2]);

    // With activations dropped as well.
    let part = TrainedPart::Lora(LoraConfig {
        dropout: 0.3,
        ..lora()
    });
    trained = Trainable::new(&model, part, &TokenRows::default(), 1).unwrap();
    set_lora(&mut trained);
    let pass = |checkpointing, seed| {
        let work = Work {
            checkpointing,
            ..WORK
        };
        let mut gradients = vec![0.0; trained.values().len()];
        completion_losses(
            &model,
            &trained,
            &examples,
            work,
            seed,
            Some(&mut gradients),
        )
        .unwrap();
        gradients
    };
    assert_eq!(pass(false, Some(7)), pass(true, Some(7)));
    assert_ne!(pass(false, Some(7)), pass(false, Some(8)));
    assert_ne!(pass(false, Some(7)), pass(false, None));
}

/// Oracle: differences of losses, along the gradient, with everything trained and with new tokens.
#[test]
fn gradients_of_all_weights_are_slopes() {
    let model = formula_model();
    let pieces: Vec<Vec<u32>> = vec![vec![3], vec![4, 5], vec![60]];
    let rows = TokenRows::mean_of_pieces(&model, &pieces).unwrap();
    let mut examples = Oracle::read("tiny_llama.json").batch(0);
    examples[0].completion = vec![71, 70, 5, 72];
    examples[1].prompt[2] = 72;
    for part in [TrainedPart::Whole, TrainedPart::Lora(lora())] {
        let mut trained = Trainable::new(&model, part, &rows, 1).unwrap();
        set_lora(&mut trained);
        let mut gradient = vec![0.0; trained.values().len()];
        completion_losses(&model, &trained, &examples, WORK, None, Some(&mut gradient)).unwrap();
        let start = trained.values().to_vec();
        for info in trained.tensors().to_vec() {
            let range = info.offset..info.offset + info.count();
            let norm: f64 = gradient[range.clone()]
                .iter()
                .map(|g| f64::from(*g).powi(2))
                .sum::<f64>()
                .sqrt();
            assert!(norm > 0.0, "{}", info.name);
            let h = 2e-3;
            let mut loss = [0.0; 2];
            for (loss, sign) in loss.iter_mut().zip([1.0, -1.0]) {
                trained.values_mut().copy_from_slice(&start);
                for (value, g) in trained.values_mut()[range.clone()]
                    .iter_mut()
                    .zip(&gradient[range.clone()])
                {
                    *value += (sign * h * f64::from(*g) / norm) as f32;
                }
                let found =
                    completion_losses(&model, &trained, &examples, WORK, None, None).unwrap();
                *loss = found.sum / found.tokens as f64;
            }
            trained.values_mut().copy_from_slice(&start);
            let slope = (loss[0] - loss[1]) / (2.0 * h);
            assert!(
                (slope - norm).abs() < 2e-3 * norm + 2e-4,
                "{}: slope {slope}, gradient {norm}",
                info.name
            );
        }
    }
}

/// Completions of one prompt, read together as branches, have the losses that they have alone.
#[test]
fn branches_do_not_see_each_other() {
    let model = formula_model();
    let trained = trainable(&model);
    let prompt: Vec<u32> = (1..20).collect();
    let completions = [vec![5, 6, 7], vec![8, 9, 10], vec![5, 60, 2]];
    let sequence = Sequence::branched(&prompt, &completions);
    let chosen: Vec<usize> = (prompt.len()..sequence.len()).collect();
    let together = [sequence];
    let (all, _) = model
        .forward(&trained, &together, chosen, PassOptions::PLAIN)
        .unwrap();
    let mut alone = Vec::new();
    for completion in &completions {
        let one = [Sequence::plain([&prompt[..], completion].concat())];
        let chosen = (prompt.len()..one[0].len()).collect();
        let (hidden, _) = model
            .forward(&trained, &one, chosen, PassOptions::PLAIN)
            .unwrap();
        alone.extend(hidden);
    }
    assert_eq!(all.len(), alone.len());
    for (a, b) in all.iter().zip(alone) {
        assert!((a - b).abs() < 2e-5, "{a} {b}");
    }
}

/// Read piece by piece behind what is kept, several at a time, hidden states are those of a whole pass.
#[test]
fn what_is_kept_stands_for_what_was_read() {
    let model = formula_model();
    let trained = trainable(&model);
    let prompt: Vec<u32> = (1..30).collect();
    let texts = [vec![5, 6, 7, 8], vec![9, 60, 2, 4]];
    let mut shared = Cache::default();
    let empty = Cache::default();
    let mut read = [Continuation {
        prefix: &empty,
        own: &mut shared,
        tokens: &prompt,
    }];
    model.read_on(&trained, &mut read).unwrap();
    let mut own = [Cache::default(), Cache::default()];
    let mut found = Vec::new();
    for range in [0..2, 2..3, 3..4] {
        let mut read: Vec<Continuation<'_>> = own
            .iter_mut()
            .zip(&texts)
            .map(|(own, text)| Continuation {
                prefix: &shared,
                own,
                tokens: &text[range.clone()],
            })
            .collect();
        found = model.read_on(&trained, &mut read).unwrap();
    }
    assert_eq!((shared.len(), own[0].len()), (29, 4));
    for (found, text) in found.chunks(48).zip(&texts) {
        let whole = [Sequence::plain([&prompt[..], text].concat())];
        let chosen = vec![whole[0].len() - 1];
        let (hidden, _) = model
            .forward(&trained, &whole, chosen, PassOptions::PLAIN)
            .unwrap();
        for (a, b) in found.iter().zip(hidden) {
            assert!((a - b).abs() < 2e-5, "{a} {b}");
        }
    }
    let mut none = [Continuation {
        prefix: &empty,
        own: &mut shared,
        tokens: &[],
    }];
    assert!(model.read_on(&trained, &mut none).is_err());
}

#[test]
fn a_token_that_is_none_is_refused() {
    let model = formula_model();
    let trained = trainable(&model);
    let one = [Sequence::plain(vec![1, 70])];
    let error = model
        .forward(&trained, &one, vec![1], PassOptions::PLAIN)
        .unwrap_err();
    assert!(error.to_string().contains("token 70"), "{error}");
    let one = [Sequence::plain(vec![1, 2])];
    assert!(
        model
            .forward(&trained, &one, vec![2], PassOptions::PLAIN)
            .is_err()
    );
}
