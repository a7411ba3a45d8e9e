//! Tests of the gradient steps against the losses as defined.

use crystalgym_environment::TaskConfig;
use crystalgym_networks::Gradients;
use crystalgym_networks::{MegnetShape, Network, NetworkConfig, Outputs};
use rand::SeedableRng;
use rand_pcg::Pcg64;

use super::*;
use crate::CriticCombination;

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

fn config() -> SacConfig {
    SacConfig {
        network: NetworkConfig::Megnet(MegnetShape {
            hidden: 8,
            blocks: 1,
            ..MegnetShape::default()
        }),
        max_gradient_norm: None,
        critic_entropy: true,
        ..SacConfig::standard()
    }
}

const RATES: Rates = Rates {
    actor: 1e-6,
    critic: 1e-6,
    temperature: 0.3,
    target_entropy: 0.5,
};

fn learner(task: &Task, config: &SacConfig) -> SoftActorCritic<Network> {
    let mut rng = Pcg64::seed_from_u64(4);
    let mut network = || {
        let shape = &config.network;
        shape.build(task, Outputs::ACTIONS, &mut rng).unwrap()
    };
    let actor = network();
    let critics = [network(), network()];
    let targets = [network(), network()];
    let mut learner = SoftActorCritic::new(actor, critics, config).unwrap();
    learner.targets = targets;
    learner
}

/// A transition in the middle of an episode and one at its end.
fn transitions(task: &Task) -> [Transition; 2] {
    let mut state = task.initial_state(&mut Pcg64::seed_from_u64(1));
    let mut states = vec![state.clone()];
    for action in [1, 0, 2, 0] {
        task.apply(&mut state, action.into()).unwrap();
        states.push(state.clone());
    }
    let between = Transition {
        state: states[0].clone(),
        action: 1,
        reward: 0.25,
        next: Some(states[1].clone()),
        discount: 0.5,
        target: 3.0,
    };
    let last = Transition {
        state: states[3].clone(),
        action: 0,
        reward: 0.75,
        next: None,
        ..between.clone()
    };
    [between, last]
}

fn outputs(network: &Network, task: &Task, state: &State) -> Vec<f32> {
    let mut workspace = network.workspace(1).unwrap();
    let batch = StateBatch::new(task, [(state, 3.0)]);
    batch.forward(network, &mut workspace).unwrap()
}

/// `π` of the allowed actions, and the two networks' values, of one state.
fn parts(
    learner: &SoftActorCritic<Network>,
    networks: [&Network; 2],
    task: &Task,
    state: &State,
) -> Vec<(f64, [f64; 2])> {
    let logits = outputs(&learner.actor.network, task, state);
    let mask = task.allowed(state);
    let powers: Vec<f64> = logits.iter().map(|z| f64::from(*z).exp()).collect();
    let sum: f64 = (0..3).filter(|a| mask[*a]).map(|a| powers[a]).sum();
    let q = networks.map(|network| outputs(network, task, state));
    (0..3)
        .filter(|a| mask[*a])
        .map(|a| (powers[a] / sum, [f64::from(q[0][a]), f64::from(q[1][a])]))
        .collect()
}

/// Oracle: the definition, written out over the two allowed actions of the next state, with the
/// networks asked one state at a time.
#[test]
fn td_targets_are_soft_values_of_the_allowed_actions() {
    let task = task();
    let [between, last] = transitions(&task);
    let next = between.next.as_ref().unwrap();
    assert_eq!(task.allowed(next), [true, false, true]);
    for critics in [CriticCombination::Min, CriticCombination::Mean] {
        for critic_entropy in [true, false] {
            let config = SacConfig {
                critics,
                critic_entropy,
                ..config()
            };
            let mut learner = learner(&task, &config);
            let [first, second] = &learner.targets;
            let alpha = if critic_entropy { 0.3 } else { 0.0 };
            let value: f64 = parts(&learner, [first, second], &task, next)
                .into_iter()
                .map(|(p, [a, b])| {
                    let q = match critics {
                        CriticCombination::Min => a.min(b),
                        CriticCombination::Mean => 0.5 * (a + b),
                    };
                    p * (q - alpha * p.ln())
                })
                .sum();
            let y = learner
                .td_targets(&task, &[&between, &last], &Finds::default(), &config, 0.3)
                .unwrap();
            assert!((y[0] - (0.25 + 0.5 * value)).abs() < 1e-6);
            assert_eq!(y[1], 0.75);
        }
    }
}

/// Oracle: both losses as defined, and their finite differences along the gradients.
#[test]
fn updates_descend_the_losses() {
    let (task, config) = (task(), config());
    let both = transitions(&task);
    let batch: Vec<&Transition> = both.iter().collect();
    let mut learner = learner(&task, &config);
    let y = learner
        .td_targets(&task, &batch, &Finds::default(), &config, 0.3)
        .unwrap();
    let actor_before = learner.actor.network.clone();
    let critic_before = learner.critics[0].network.clone();
    learner
        .update(&task, &batch, &Finds::default(), &config, RATES)
        .unwrap();

    let slope =
        |network: &Network, gradients: &Gradients, loss: &mut dyn FnMut(&Network) -> f64| {
            let (norm, length) = (gradients.norm(), 1e-3);
            let losses = [1.0, -1.0].map(|sign| {
                let mut moved = network.clone();
                let values = moved.parameters_mut().values_mut().iter_mut();
                for (value, gradient) in values.zip(gradients.values()) {
                    *value += (sign * length * f64::from(*gradient) / norm) as f32;
                }
                loss(&moved)
            });
            let slope = (losses[0] - losses[1]) / (2.0 * length);
            assert!(
                (slope - norm).abs() < 1e-2 * norm,
                "{slope}, gradient {norm}"
            );
        };
    let critic_gradients = learner.critics[0].gradients.clone();
    slope(&critic_before, &critic_gradients, &mut |critic| {
        let errors = batch.iter().zip(&y).map(|(t, y)| {
            let q = outputs(critic, &task, &t.state)[usize::from(t.action)];
            (f64::from(q) - y).powi(2)
        });
        errors.sum::<f64>() / 2.0
    });
    // The critics have moved by the time the actor learns, and stand still since.
    let actor_gradients = learner.actor.gradients.clone();
    let critics = [
        learner.critics[0].network.clone(),
        learner.critics[1].network.clone(),
    ];
    slope(&actor_before, &actor_gradients, &mut |actor| {
        learner.actor.network = actor.clone();
        let losses = batch.iter().map(|t| {
            parts(&learner, [&critics[0], &critics[1]], &task, &t.state)
                .into_iter()
                .map(|(p, [a, b])| p * (0.3 * p.ln() - 0.5 * (a + b)))
                .sum::<f64>()
        });
        losses.sum::<f64>() / 2.0
    });
}

/// Closed form: the published division makes the loss and its gradient smaller by the number of
/// actions.
#[test]
fn the_published_loss_is_divided_by_the_number_of_actions() {
    let task = task();
    let both = transitions(&task);
    let batch: Vec<&Transition> = both.iter().collect();
    let run = |divide_by_actions| {
        let config = SacConfig {
            divide_by_actions,
            ..config()
        };
        let mut learner = learner(&task, &config);
        let losses = learner
            .update(&task, &batch, &Finds::default(), &config, RATES)
            .unwrap();
        (losses.actor_loss, learner.actor.gradients.norm())
    };
    let (plain, divided) = (run(false), run(true));
    assert!((plain.0 - 3.0 * divided.0).abs() < 1e-9);
    assert!((plain.1 - 3.0 * divided.1).abs() < 1e-5 * plain.1);
}

#[test]
fn targets_follow_their_own_critics() {
    let (task, config) = (task(), config());
    let mut learner = learner(&task, &config);
    learner.update_targets(1.0).unwrap();
    for (target, critic) in learner.targets.iter().zip(&learner.critics) {
        assert_eq!(
            target.parameters().values(),
            critic.network.parameters().values()
        );
    }
}
