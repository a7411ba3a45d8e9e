//! Training configurations: a TOML file, or a `key=value` option after each line that starts with !.
#![no_main]

use crystalgym_training::{ConfigLayers, TrainingConfig};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut layers = ConfigLayers::default();
    let (options, file): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with('!'));
    for option in options {
        if layers.add_assignment(&option[1..]).is_err() {
            return;
        }
    }
    if !file.is_empty() {
        let Ok(folder) = tempfile::tempdir() else {
            return;
        };
        let path = folder.path().join("config.toml");
        if std::fs::write(&path, file.join("\n")).is_err() || layers.add_file(&path).is_err() {
            return;
        }
    }
    if let Ok(config) = TrainingConfig::resolve(&layers, None) {
        // What is accepted can be written, and read back as the same.
        let written = config
            .to_toml()
            .expect("an accepted configuration is written");
        assert!(!written.is_empty());
    }
});
