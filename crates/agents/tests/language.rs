//! The language-model agent in environments: it learns, and saved and loaded it goes on the same.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{path::Path, sync::Arc};

use crystalgym_agents::{
    Agent, AgentConfig, Evaluator, LanguageConfig, LoadedAgent, PolicyMode, Progress,
    evaluate_policy,
};
use crystalgym_environment::{Task, TaskConfig};
use crystalgym_evaluation::{CalculatorConfig, CalculatorName};
use crystalgym_language::{CrystalTokenizer, Llama, LlamaConfig, LoraConfig, write_model};

/// A folder with a small model of random weights.
fn small_model(folder: &Path) {
    let config = LlamaConfig {
        hidden_size: 32,
        intermediate_size: 48,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        head_dim: 16,
        vocab_size: 256,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: None,
        tie_word_embeddings: true,
        max_position_embeddings: 1024,
    };
    let model = Llama::random(config, 1).unwrap();
    write_model(folder, &model, &CrystalTokenizer::of_bytes().unwrap()).unwrap();
}

fn evaluator() -> Evaluator {
    let calculator = CalculatorConfig {
        name: CalculatorName::Rigid,
        ..CalculatorConfig::default()
    };
    Evaluator {
        calculator: calculator.build().unwrap(),
        store: None,
        workers: 1,
        screening: None,
    }
}

fn task(skeletons: &[&str]) -> Arc<Task> {
    let config = TaskConfig {
        skeletons: skeletons.iter().map(|&name| name.into()).collect(),
        target: 5.0,
        ..TaskConfig::default()
    };
    Arc::new(Task::new(&config).unwrap())
}

fn config(model: &Path, total_steps: u64) -> LanguageConfig {
    LanguageConfig {
        total_steps,
        environments: 8,
        in_flight: 3,
        batch_episodes: 8,
        model: model.display().to_string(),
        learning_rate: 2e-2,
        lora: LoraConfig {
            rank: 4,
            dropout: 0.0,
            ..LoraConfig::default()
        },
        ..LanguageConfig::standard()
    }
}

fn mean_reward(agent: &LoadedAgent, task: &Arc<Task>) -> f64 {
    let mut policy = agent.policy(task, PolicyMode::Sampled { seed: 5 }).unwrap();
    let rollouts = evaluate_policy(policy.as_mut(), task, &evaluator(), 40, 9).unwrap();
    rollouts.iter().map(|rollout| rollout.reward).sum::<f64>() / 40.0
}

#[test]
fn it_learns_and_makes_crystals_on_held_out_skeletons() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    small_model(&model);
    let task = task(&["C2"]);
    let config = AgentConfig::Llm(config(&model, 4000));
    let mut agent = Agent::new(&config, Arc::clone(&task), &evaluator()).unwrap();
    let saved = folder.path().join("saved");
    agent.save(&saved).unwrap();
    let before = mean_reward(&LoadedAgent::read(&saved, &task).unwrap(), &task);
    while agent.step(&mut ()).unwrap() == Progress::Continue {}
    agent.save(&saved).unwrap();
    let loaded = LoadedAgent::read(&saved, &task).unwrap();
    let after = mean_reward(&loaded, &task);
    assert!(after > before + 0.2, "{before} {after}");

    let others = self::task(&["C1", "C6"]);
    let mut policy = loaded.policy(&others, PolicyMode::Greedy).unwrap();
    let made = evaluate_policy(policy.as_mut(), &others, &evaluator(), 6, 1).unwrap();
    assert_eq!(made.len(), 6);
    // Of the same weights, greedy choices are the same.
    let mut again = loaded.policy(&others, PolicyMode::Greedy).unwrap();
    let twice = evaluate_policy(again.as_mut(), &others, &evaluator(), 6, 1).unwrap();
    let crystals = |made: &[crystalgym_agents::Rollout]| -> Vec<String> {
        made.iter()
            .map(|rollout| format!("{:?}", rollout.crystal.elements()))
            .collect()
    };
    assert_eq!(crystals(&made), crystals(&twice));
}

#[test]
fn saved_and_loaded_it_goes_on_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    small_model(&model);
    let task = task(&["C2", "C6"]);
    let paper = LanguageConfig {
        total_steps: 120,
        model: model.display().to_string(),
        lora: config(&model, 1).lora,
        ..LanguageConfig::paper()
    };
    for config in [config(&model, 400), paper] {
        let config = AgentConfig::Llm(config);
        let run = |stops: &[usize], threads: usize| {
            let config = match config.clone() {
                AgentConfig::Llm(config) => AgentConfig::Llm(LanguageConfig { threads, ..config }),
                other => other,
            };
            let mut agent = Agent::new(&config, Arc::clone(&task), &evaluator()).unwrap();
            let mut count = 0;
            while agent.step(&mut ()).unwrap() == Progress::Continue {
                count += 1;
                if stops.contains(&count) {
                    let saved = folder.path().join("saved");
                    agent.save(&saved).unwrap();
                    agent = Agent::load(&saved, Arc::clone(&task), &evaluator()).unwrap();
                }
            }
            let last = folder.path().join("last");
            agent.save(&last).unwrap();
            let loaded = LoadedAgent::read(&last, &task).unwrap();
            mean_reward(&loaded, &task)
        };
        let through = run(&[], 1);
        assert_eq!(through, run(&[3, 11, 12], 1));
        assert_eq!(through, run(&[], 2));
    }

    // On another base model.
    let saved = folder.path().join("last");
    std::fs::remove_dir_all(&model).unwrap();
    let error = LoadedAgent::read(&saved, &task).err().unwrap().to_string();
    assert!(
        error.contains("config.json") || error.contains("No such file"),
        "{error}"
    );
}
