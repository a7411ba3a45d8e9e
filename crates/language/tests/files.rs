//! Files that are damaged, do not belong together, or are written and read again.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;

use common::{formula_model, set_lora, write_formula_model};
use crystalgym_language::{
    CrystalTokenizer, GgufFile, Llama, LlamaConfig, LoraConfig, Precision, TokenRows, Trainable,
    TrainedPart, Writing, read_trained, write_model, write_trained,
};

fn refused(folder: &Path, expected: &str) {
    let error = Llama::read(folder, Precision::AsStored)
        .unwrap_err()
        .to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn damaged_folders_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_formula_model(path);
    let weights = path.join("model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    for length in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&weights, &whole[..length]).unwrap();
        let error = Llama::read(path, Precision::AsStored)
            .unwrap_err()
            .to_string();
        let said = ["cut off", "shorter", "header"]
            .iter()
            .any(|word| error.contains(word));
        assert!(
            said && error.contains("model.safetensors"),
            "{length}: {error}"
        );
    }
    std::fs::write(&weights, &whole).unwrap();

    let config = path.join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        std::fs::write(&config, text.replace(from, to)).unwrap();
    };
    changed("\"vocab_size\": 70", "\"vocab_size\": 71");
    refused(
        path,
        "'model.embed_tokens.weight' is 70 × 48, expected 71 × 48",
    );
    changed("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4");
    refused(path, "'model.layers.3");
    changed("\"intermediate_size\": 80", "\"intermediate_size\": 96");
    refused(path, "mlp.gate_proj");
    changed("\"model_type\": \"llama\"", "\"model_type\": \"mamba\"");
    refused(path, "expected llama");
    std::fs::remove_file(&config).unwrap();
    refused(path, "config.json");
}

#[test]
fn a_model_is_written_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = LlamaConfig {
        vocab_size: 256,
        ..formula_model().config().clone()
    };
    for tied in [true, false] {
        config.tie_word_embeddings = tied;
        let model = Llama::random(config.clone(), 5).unwrap();
        let tokenizer = CrystalTokenizer::of_bytes().unwrap();
        write_model(folder.path(), &model, &tokenizer).unwrap();
        let read = Llama::read(folder.path(), Precision::AsStored).unwrap();
        assert!(read == model);
        let read = CrystalTokenizer::read(folder.path(), &config).unwrap();
        assert_eq!(
            read.encode("0.5").unwrap(),
            tokenizer.encode("0.5").unwrap()
        );
    }
    let coarse = Llama::read(folder.path(), Precision::EightBit).unwrap();
    let model = Llama::read(folder.path(), Precision::AsStored).unwrap();
    assert!(coarse.bytes() * 3 < model.bytes());
}

#[test]
fn what_was_trained_is_written_and_read_again() {
    let model = formula_model();
    let tokenizer = CrystalTokenizer::of_bytes().unwrap();
    let rows = TokenRows::mean_of_pieces(&model, &[vec![1], vec![2, 3]]).unwrap();
    let lora = LoraConfig {
        rank: 4,
        alpha: 6.0,
        ..LoraConfig::default()
    };
    for part in [TrainedPart::Lora(lora), TrainedPart::Whole] {
        let folder = tempfile::tempdir().unwrap();
        let mut trained = Trainable::new(&model, part, &rows, 3).unwrap();
        set_lora(&mut trained);
        trained.values_mut()[7] = 0.625;
        let writing = Writing::published();
        write_trained(folder.path(), &model, &tokenizer, &trained, writing, "base").unwrap();
        let (read, found) = read_trained(folder.path(), &model, &rows).unwrap();
        assert!(read == trained);
        assert_eq!(found, Some(writing));

        // Of another model.
        let mut config = model.config().clone();
        config.hidden_size = 24;
        let other = Llama::random(config, 1).unwrap();
        let rows = TokenRows::mean_of_pieces(&other, &[vec![1], vec![2, 3]]).unwrap();
        let error = read_trained(folder.path(), &other, &rows)
            .unwrap_err()
            .to_string();
        assert!(error.contains("expected"), "{error}");
    }
}

#[test]
fn what_is_no_gguf_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    let mut good = b"GGUF\x03\0\0\0".to_vec();
    good.extend(1_u64.to_le_bytes());
    good.extend(0_u64.to_le_bytes());
    good.extend(1_u64.to_le_bytes());
    good.extend(b"w");
    good.extend(1_u32.to_le_bytes());
    good.extend(4_u64.to_le_bytes());
    good.extend(0_u32.to_le_bytes());
    good.extend(0_u64.to_le_bytes());
    good.resize(good.len().next_multiple_of(32), 0);
    good.extend(
        [1.0_f32, 2.0, 3.0, 4.0]
            .iter()
            .flat_map(|x| x.to_le_bytes()),
    );
    let open = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        GgufFile::open(&path).and_then(|mut file| file.matrix("w"))
    };
    assert_eq!(open(&good).unwrap().to_values(), [1.0, 2.0, 3.0, 4.0]);
    for length in 0..good.len() {
        assert!(open(&good[..length]).is_err(), "{length}");
    }
    let error = open(&good[..good.len() - 1]).unwrap_err().to_string();
    assert!(error.contains("cut off: tensor 'w'"), "{error}");
    let refused = |at: usize, byte: u8, expected: &str| {
        let mut bad = good.clone();
        bad[at] = byte;
        let error = open(&bad).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(0, b'X', "begin with GGUF");
    refused(4, 9, "version is 9");
    refused(45, 6, "GGML type 6");
    refused(15, 0xff, "entries");
}

/// A pipe at a model's path could be waited for without end.
#[test]
fn pipes_are_refused_wherever_a_file_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_formula_model(path);
    for name in ["config.json", "model.safetensors"] {
        let file = path.join(name);
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&file).status();
        assert!(made.unwrap().success());
        refused(path, "a pipe or a device");
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, bytes).unwrap();
    }
    let pipe = path.join("pipe.gguf");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    refused(&pipe, "a pipe or a device");
}

/// GGUF by the format's description: two keys that say how data are aligned, no tensors.
#[test]
fn an_alignment_that_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    for alignment in [0_u64, 3, 1 << 17, u64::MAX] {
        let key = "general.alignment";
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(
            [0_u64, 1, key.len() as u64]
                .iter()
                .flat_map(|n| n.to_le_bytes()),
        );
        bytes.extend(key.bytes());
        bytes.extend(10_u32.to_le_bytes());
        bytes.extend(alignment.to_le_bytes());
        std::fs::write(&path, &bytes).unwrap();
        refused(&path, "expected a power of two");
    }
}

/// A file of a terabyte without contents costs a few bytes to send: nothing is read of it.
#[test]
fn a_tensor_of_another_shape_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_formula_model(path);
    let weights = path.join("model.safetensors");
    let bytes: u64 = 1 << 40;
    let header = format!(
        r#"{{"model.embed_tokens.weight":{{"dtype":"F32","shape":[{},4],"data_offsets":[0,{bytes}]}}}}"#,
        bytes / 16
    );
    let mut start = (header.len() as u64).to_le_bytes().to_vec();
    start.extend(header.bytes());
    std::fs::write(&weights, &start).unwrap();
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&weights)
        .unwrap();
    file.set_len(start.len() as u64 + bytes).unwrap();
    refused(
        path,
        "'model.embed_tokens.weight' is 68719476736 × 4, expected 70 × 48",
    );
}
