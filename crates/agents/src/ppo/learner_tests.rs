//! Tests of the gradient steps against the loss as defined.

use crystalgym_environment::TaskConfig;
use crystalgym_networks::{MegnetShape, Network, NetworkConfig, Outputs};
use rand::SeedableRng;
use rand_pcg::Pcg64;

use super::*;

fn task() -> Task {
    let elements = |symbols: &[&str]| symbols.iter().map(|s| s.parse().unwrap()).collect();
    Task::new(&TaskConfig {
        skeletons: vec!["C6".into()],
        elements: elements(&["Li", "Na", "K"]),
        start_site: Some(0),
        allowed: (1..4)
            .map(|site| (site.to_string(), elements(&["Li", "K"])))
            .collect(),
        ..TaskConfig::default()
    })
    .unwrap()
}

fn config() -> PpoConfig {
    PpoConfig {
        network: NetworkConfig::Megnet(MegnetShape {
            hidden: 8,
            blocks: 1,
            ..MegnetShape::default()
        }),
        max_gradient_norm: None,
        normalize_advantages: false,
        ..PpoConfig::standard()
    }
}

fn learner(task: &Task, config: &PpoConfig) -> ActorCritic<Network> {
    let mut rng = Pcg64::seed_from_u64(4);
    let actor = config
        .network
        .build(task, Outputs::ACTIONS, &mut rng)
        .unwrap();
    let critic = config
        .network
        .build(task, Outputs::VALUE, &mut rng)
        .unwrap();
    ActorCritic::new(actor, critic, config).unwrap()
}

/// Three steps of an episode with probabilities and values near those of the networks.
fn samples(task: &Task, learner: &mut ActorCritic<Network>) -> Vec<Sample> {
    let mut state = task.initial_state(&mut Pcg64::seed_from_u64(1));
    let mut samples = Vec::new();
    for (action, shift) in [(1, 0.02), (0, -0.05), (2, 0.4)] {
        let policy = learner
            .policies(&[task.observe_for(&state, 3.0)])
            .unwrap()
            .remove(0);
        let log_probability = policy.unwrap().log_probabilities()[action];
        samples.push(Sample {
            state: state.clone(),
            target: 3.0,
            action: action as Action,
            log_probability: log_probability + shift,
            value: learner.values(task, &[state.clone()], 3.0).unwrap()[0] - shift,
            advantage: 0.5 - 10.0 * shift,
        });
        task.apply(&mut state, action as i64).unwrap();
    }
    samples
}

/// The whole loss as defined, from single forward passes.
fn loss(
    task: &Task,
    learner: &mut ActorCritic<Network>,
    samples: &[Sample],
    config: &PpoConfig,
) -> f64 {
    let terms = samples.iter().map(|sample| {
        let policies = learner.policies(&[task.observe_for(&sample.state, sample.target)]);
        let policy = policies.unwrap().remove(0).unwrap();
        let states = std::slice::from_ref(&sample.state);
        let value = learner.values(task, states, sample.target).unwrap()[0];
        let log_ratio =
            policy.log_probabilities()[usize::from(sample.action)] - sample.log_probability;
        let (of_policy, _) = clipped_policy_loss(
            log_ratio,
            sample.advantage,
            config.clip,
            config.largest_ratio,
        );
        let value_target = sample.value + sample.advantage;
        let (of_value, _) = value_loss(value, sample.value, value_target, None);
        of_policy - 0.3 * policy.entropy() + config.value_coefficient * of_value
    });
    terms.sum::<f64>() / samples.len() as f64
}

/// Oracle: the loss as defined, and its finite difference along the gradients of both networks.
#[test]
fn updates_descend_the_loss() {
    let (task, config) = (task(), config());
    let mut learner = learner(&task, &config);
    let samples = samples(&task, &mut learner);
    let minibatch: Vec<&Sample> = samples.iter().collect();
    let before = [
        learner.actor.parameters().clone(),
        learner.critic.parameters().clone(),
    ];
    let scalars = learner
        .update(
            &task,
            &minibatch,
            None,
            &Finds::default(),
            &config,
            (1e-6, 0.3),
        )
        .unwrap();
    let scalar = |name: &str| scalars.iter().find(|(known, _)| *known == name).unwrap().1;
    let norm = scalar("losses/gradient_norm");
    // The third step lies outside of the clip.
    assert!((scalar("losses/clipfrac") - 1.0 / 3.0).abs() < 1e-12);

    let gradients = [
        learner.actor_gradients.values().to_vec(),
        learner.critic_gradients.values().to_vec(),
    ];
    let length = 1e-3;
    let losses = [1.0, -1.0].map(|sign| {
        let networks = [&mut learner.actor, &mut learner.critic];
        for ((network, before), gradient) in networks.into_iter().zip(&before).zip(&gradients) {
            let values = network.parameters_mut().values_mut().iter_mut();
            for ((value, before), gradient) in values.zip(before.values()).zip(gradient) {
                *value = before + (sign * length * f64::from(*gradient) / norm) as f32;
            }
        }
        loss(&task, &mut learner, &samples, &config)
    });
    let slope = (losses[0] - losses[1]) / (2.0 * length);
    assert!(
        (slope - norm).abs() < 1e-2 * norm,
        "{slope}, gradient {norm}"
    );
}

/// With stale observations the gradient is that of other states: the same samples move the
/// networks elsewhere.
#[test]
fn stale_observations_change_the_update() {
    let (task, config) = (task(), config());
    let mut learner = learner(&task, &config);
    let samples = samples(&task, &mut learner);
    let minibatch: Vec<&Sample> = samples.iter().collect();
    let stale: Vec<(State, f64)> = samples
        .iter()
        .rev()
        .map(|s| (s.state.clone(), 3.0))
        .collect();
    let mut gradient = |stale: Option<&[(State, f64)]>| {
        learner
            .update(
                &task,
                &minibatch,
                stale,
                &Finds::default(),
                &config,
                (1e-9, 0.3),
            )
            .unwrap();
        learner.actor_gradients.values().to_vec()
    };
    assert_ne!(gradient(None), gradient(Some(&stale)));
}

#[test]
fn norms_are_clipped_together() {
    let (task, config) = (task(), config());
    let mut learner = learner(&task, &config);
    learner.actor_gradients.values_mut()[5] = 3.0;
    learner.critic_gradients.values_mut()[7] = 4.0;
    let gradients = [&mut learner.actor_gradients, &mut learner.critic_gradients];
    assert!((clip_together(gradients, Some(0.5)) - 5.0).abs() < 1e-12);
    assert!((learner.actor_gradients.norm() - 0.3).abs() < 1e-6);
    assert!((learner.critic_gradients.norm() - 0.4).abs() < 1e-6);
}
