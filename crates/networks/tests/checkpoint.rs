//! Checkpoints: whole round trips and clear refusals.
#![allow(clippy::unwrap_used)]

mod common;

use common::{graphs, loss_weights, network, states, views};
use crystalgym_networks::{Adam, AdamConfig, Checkpoint, GraphNetwork, Megnet, MegnetConfig};

/// Ten updates on fixed data.
fn train(network: &mut Megnet, adam: &mut Adam) {
    let batch = states(&graphs(), 18, 20);
    let mut workspace = network.workspace(1).unwrap();
    let mut gradients = network.parameters().zeros_like();
    for _ in 0..10 {
        let len = network
            .forward(&views(&batch), &mut workspace)
            .unwrap()
            .len();
        gradients.clear();
        network
            .backward(&loss_weights(len), &mut workspace, &mut gradients)
            .unwrap();
        adam.step(1e-3, &gradients, network.parameters_mut())
            .unwrap();
    }
}

/// Identity: stopping, storing and going on gives the bits of going on.
#[test]
fn training_resumes_exactly() {
    let config = MegnetConfig::corrected(18, 18);
    let mut original = network(&config, &graphs(), 1);
    let mut adam = Adam::new(AdamConfig::default(), original.parameters());
    train(&mut original, &mut adam);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let mut checkpoint = Checkpoint::new();
    checkpoint.insert_parameters("online", original.parameters());
    checkpoint.insert_adam("optimizer", &adam, original.parameters());
    checkpoint.set_metadata("note", "after ten");
    checkpoint.write(&path).unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "no temporary file is left");

    let read = Checkpoint::read(&path).unwrap();
    assert_eq!(read, checkpoint);
    assert_eq!(read.metadata("note"), Some("after ten"));
    let mut resumed = network(&config, &graphs(), 2);
    let mut resumed_adam = Adam::new(AdamConfig::default(), resumed.parameters());
    read.restore_parameters("online", resumed.parameters_mut())
        .unwrap();
    read.restore_adam("optimizer", &mut resumed_adam, resumed.parameters())
        .unwrap();
    assert_eq!(resumed_adam.steps(), 10);
    train(&mut original, &mut adam);
    train(&mut resumed, &mut resumed_adam);
    assert_eq!(
        original.parameters().values(),
        resumed.parameters().values()
    );
}

/// Identity: a weight matrix is stored as PyTorch has it, (outputs, inputs).
#[test]
fn tensors_are_stored_in_torch_order() {
    let network = network(&MegnetConfig::published(18, 18), &graphs(), 1);
    let parameters = network.parameters();
    let name = "node_encoder.layers.0.weight";
    let info = parameters
        .layout()
        .iter()
        .find(|info| info.name == name)
        .unwrap();
    assert_eq!(info.shape, [64, 16]);
    let tensor = parameters.tensor(name).unwrap();
    let flat = &parameters.values()[info.offset..];
    assert_eq!(tensor[3 * 16 + 5], flat[5 * 64 + 3]);
}

#[test]
fn what_does_not_fit_is_named() {
    let graphs = graphs();
    let small = network(&MegnetConfig::corrected(18, 18), &graphs, 1);
    let mut large = network(&MegnetConfig::corrected(30, 30), &graphs, 1);
    let mut checkpoint = Checkpoint::new();
    checkpoint.insert_parameters("online", small.parameters());
    let before = large.parameters().values().to_vec();
    let message = |checkpoint: &Checkpoint, prefix: &str, network: &mut Megnet| {
        checkpoint
            .restore_parameters(prefix, network.parameters_mut())
            .unwrap_err()
            .to_string()
    };
    let text = message(&checkpoint, "online", &mut large);
    assert!(
        text.contains("online.embedding.layer_node_embedding.weight")
            && text.contains("[19, 16]")
            && text.contains("[31, 16]"),
        "{text}"
    );
    assert_eq!(before, large.parameters().values());
    let text = message(&checkpoint, "target", &mut large);
    assert!(
        text.contains("'target.embedding.layer_node_embedding.weight' is missing"),
        "{text}"
    );

    let published = network(&MegnetConfig::published(18, 18), &graphs, 1);
    let blocks = MegnetConfig {
        blocks: 2,
        ..MegnetConfig::published(18, 18)
    };
    let mut shallow = network(&blocks, &graphs, 1);
    let mut checkpoint = Checkpoint::new();
    checkpoint.insert_parameters("online", published.parameters());
    let text = message(&checkpoint, "online", &mut shallow);
    assert!(
        text.contains("online.blocks.2") && text.contains("belongs to no layer"),
        "{text}"
    );

    let mut adam = Adam::new(AdamConfig::default(), published.parameters());
    let text = checkpoint
        .restore_adam("optimizer", &mut adam, published.parameters())
        .unwrap_err()
        .to_string();
    assert!(text.contains("'optimizer.exp_avg."), "{text}");
}

#[test]
fn broken_files_are_refused_with_their_name() {
    let network = network(&MegnetConfig::corrected(18, 18), &graphs(), 1);
    let mut checkpoint = Checkpoint::new();
    checkpoint.insert_parameters("online", network.parameters());
    let bytes = checkpoint.to_bytes().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.safetensors");
    for broken in [
        &bytes[..0],
        &bytes[..7],
        &bytes[..200],
        &bytes[..bytes.len() - 1],
    ] {
        std::fs::write(&path, broken).unwrap();
        let text = Checkpoint::read(&path).unwrap_err().to_string();
        assert!(text.contains("broken.safetensors"), "{text}");
    }
    let text = Checkpoint::read(&folder.path().join("absent"))
        .unwrap_err()
        .to_string();
    assert!(text.contains("absent"), "{text}");
    let text = checkpoint
        .write(&folder.path().join("no/such/folder"))
        .unwrap_err()
        .to_string();
    assert!(text.contains("no/such/folder"), "{text}");
}

/// A hash map's order differs from map to map; the file's must not.
#[test]
fn equal_checkpoints_are_equal_files() {
    let bytes = || {
        let mut checkpoint = Checkpoint::new();
        for index in 0..20 {
            checkpoint.set_metadata(format!("key {index}"), "value");
        }
        checkpoint.to_bytes().unwrap()
    };
    assert_eq!(bytes(), bytes());
    let read = Checkpoint::from_bytes(&bytes()).unwrap();
    assert_eq!(read.metadata("key 7"), Some("value"));
}
