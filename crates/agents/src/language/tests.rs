//! The agent on a small model with random weights: gradients, learning, saving.

use crystalgym_environment::{Episode, TaskConfig};
use crystalgym_language::{LlamaConfig, LoraConfig};

use super::*;

pub(super) fn small_model() -> (Arc<Llama>, CrystalTokenizer, TokenRows) {
    let config = LlamaConfig {
        hidden_size: 16,
        intermediate_size: 24,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        head_dim: 8,
        vocab_size: 256,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: None,
        tie_word_embeddings: true,
        max_position_embeddings: 1024,
    };
    let model = Llama::random(config, 1).unwrap();
    let tokenizer = CrystalTokenizer::of_bytes().unwrap();
    let pieces = tokenizer.symbol_pieces().unwrap();
    let rows = TokenRows::mean_of_pieces(&model, &pieces).unwrap();
    (Arc::new(model), tokenizer, rows)
}

fn task() -> Arc<Task> {
    let config = TaskConfig {
        skeletons: vec!["C2".into(), "C6".into()],
        ..TaskConfig::default()
    };
    Arc::new(Task::new(&config).unwrap())
}

fn agent(config: LanguageConfig, part: TrainedPart) -> LanguageAgent {
    let (model, tokenizer, rows) = small_model();
    let mut trainable = Trainable::new(&model, part, &rows, 1).unwrap();
    // Additions that do something.
    for (index, value) in trainable.values_mut().iter_mut().enumerate() {
        *value += 0.05 * ((index * 37 % 101) as f32 / 50.0 - 1.0);
    }
    LanguageAgent::with_model(config, task(), model, tokenizer, trainable).unwrap()
}

fn sample(agent: &LanguageAgent, skeleton: u16, start: u16, reward: f64) -> Sample {
    let task = &agent.prompts.task;
    let mut rng = Pcg64::seed_from_u64(1);
    let mut begin = task.initial_state_on(skeleton.into(), &mut rng);
    begin.start = start;
    let length = task.length(&begin);
    Sample {
        episode: Episode {
            actions: (0..length).map(|step| (step * 5 % 18) as Action).collect(),
            start: begin,
        },
        target: task.target(),
        reward,
    }
}

/// Oracle: differences of the loss along its own gradient, divergence and entropy included, with
/// completions that share a prompt.
#[test]
fn gradients_are_slopes_of_the_loss() {
    let config = LanguageConfig {
        temperature: 0.7,
        ..LanguageConfig::standard()
    };
    let lora = TrainedPart::Lora(LoraConfig {
        rank: 2,
        dropout: 0.0,
        ..LoraConfig::default()
    });
    let mut agent = agent(config, lora);
    for (index, value) in agent.reference.values_mut().iter_mut().enumerate() {
        *value += 0.1 * ((index * 53 % 97) as f32 / 48.0 - 1.0);
    }
    let mut other = sample(&agent, 0, 1, 0.0);
    other.episode.actions.reverse();
    let episodes = vec![
        (sample(&agent, 0, 1, 0.0), 0.8),
        (sample(&agent, 1, 0, 0.0), -1.1),
        (other, 0.3),
    ];
    let groups = grouped(&agent.prompts, episodes).unwrap();
    assert_eq!(groups.len(), 2);
    let weights = Weights {
        kl: 0.4,
        entropy: 0.3,
        temperature: 0.7,
    };
    let run = |trainable: &Trainable| {
        let models = Models {
            llama: &agent.model,
            trainable,
            reference: &agent.reference,
        };
        gradient(models, &agent.prompts, &groups, 3, weights, false).unwrap()
    };
    let loss = |trainable: &Trainable| {
        let means = run(trainable).0;
        means.policy_loss + (weights.kl * means.kl - weights.entropy * means.entropy) / 3.0
    };
    let (_, found) = run(&agent.trainable);
    let norm = found
        .iter()
        .map(|g| f64::from(*g).powi(2))
        .sum::<f64>()
        .sqrt();
    let h = 1e-3;
    let mut values = [0.0; 2];
    for (value, sign) in values.iter_mut().zip([1.0, -1.0]) {
        let mut moved = agent.trainable.clone();
        for (x, g) in moved.values_mut().iter_mut().zip(&found) {
            *x += (sign * h * f64::from(*g) / norm) as f32;
        }
        *value = loss(&moved);
    }
    let slope = (values[0] - values[1]) / (2.0 * h);
    assert!(
        norm > 1e-3 && (slope - norm).abs() < 5e-3 * norm,
        "{slope} {norm}"
    );
}

/// What the agent draws from, step by step, is what it learns from.
#[test]
fn acting_and_learning_see_the_same_distribution() {
    let agent = agent(LanguageConfig::standard(), TrainedPart::Whole);
    let sample = sample(&agent, 1, 2, 0.0);
    let states = sample.episode.states(&agent.prompts.task).unwrap();
    let mut decoder = Decoder::new(Arc::clone(&agent.model), agent.prompts.clone(), 1.0);
    let mut acted = 0.0;
    for (state, &action) in states.iter().zip(&sample.episode.actions) {
        let seen = agent.prompts.task.observe(state);
        let episode = Seen::new(&seen).unwrap();
        let taken = sample.episode.actions[..seen.step].iter();
        assert!(taken.copied().map(usize::from).eq(episode.history.clone()));
        let found = decoder.distributions(&agent.trainable, &[episode]).unwrap();
        acted += found[0].as_ref().unwrap().log_probabilities()[usize::from(action)];
    }
    let groups = grouped(&agent.prompts, vec![(sample, 1.0)]).unwrap();
    let models = Models {
        llama: &agent.model,
        trainable: &agent.trainable,
        reference: &agent.reference,
    };
    let weights = Weights {
        kl: 0.0,
        entropy: 0.0,
        temperature: 1.0,
    };
    let (means, _) = gradient(models, &agent.prompts, &groups, 1, weights, true).unwrap();
    assert!(
        (means.policy_loss + acted).abs() < 1e-4,
        "{} {acted}",
        means.policy_loss
    );
}

#[test]
fn the_best_are_kept_once_and_told_from_other_sites() {
    let agent = agent(LanguageConfig::standard(), TrainedPart::Whole);
    let mut best = BestEpisodes::default();
    for (start, reward) in [(0, 0.1), (1, 0.9), (2, 0.5), (1, 0.9), (0, 0.2)] {
        let mut one = sample(&agent, 1, start, reward);
        one.episode.actions.rotate_left(start.into());
        let state = one.episode.last_state(&agent.prompts.task).unwrap();
        best.add(&one, &state.node_types, 2);
    }
    let rewards: Vec<f64> = best.samples().map(|sample| sample.reward).collect();
    assert_eq!(rewards, [0.9, 0.5]);
    let mut rng = Pcg64::seed_from_u64(1);
    let drawn = best.draw(40, &agent.prompts.task, &mut rng);
    assert!(
        drawn
            .iter()
            .all(|sample| sample.episode.belongs_to(&agent.prompts.task))
    );
    let starts: std::collections::BTreeSet<u16> = drawn
        .iter()
        .map(|sample| sample.episode.start.start)
        .collect();
    assert!(starts.len() > 2, "{starts:?}");
    let mut fillings: Vec<_> = drawn
        .iter()
        .map(|one| {
            one.episode
                .last_state(&agent.prompts.task)
                .unwrap()
                .node_types
        })
        .collect();
    fillings.sort();
    fillings.dedup();
    assert_eq!(fillings.len(), 2);
}

#[test]
fn what_cannot_be_is_named() {
    let refused = |config: LanguageConfig, expected: &str| {
        let error = LanguageAgent::new(config, task())
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(LanguageConfig::standard(), "--set llm.model=PATH");
    let there = LanguageConfig {
        model: "/nowhere".to_owned(),
        ..LanguageConfig::standard()
    };
    refused(there, "/nowhere");
    let bad = LanguageConfig {
        best_replayed: 9,
        ..LanguageConfig::standard()
    };
    refused(bad, "best_replayed is 9, expected 0 to 8");
    let bad = LanguageConfig {
        entropy_coefficient: 0.0,
        ..LanguageConfig::standard()
    };
    refused(bad, "entropy_coefficient");
}
