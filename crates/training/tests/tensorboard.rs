//! Oracle: TensorBoard's own reader must find every point that the writer wrote.

use std::process::Command;

use crystalgym_training::{EventWriter, RunFolder};

const READER: &str = r#"
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
for tag in sorted(events.Tags()["scalars"]):
    for event in events.Scalars(tag):
        print(tag, event.step, event.value)
for tag in sorted(events.Tags()["tensors"]):
    print(tag, events.Tensors(tag)[0].tensor_proto.string_val[0].decode())
"#;

#[test]
fn tensorboard_reads_what_was_written_and_nothing_that_was_dropped() {
    let Some(python) = crystalgym_testing::python_with(&["tensorboard"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::at(folder.path());
    let mut writer = EventWriter::create(&run, "seed = 1").unwrap();
    writer.scalar("charts/episodic_return", 5, 0.25).unwrap();
    writer.scalar("losses/td_loss", 300, 1e-3).unwrap();
    let length = writer.sync().unwrap();
    writer.scalar("charts/episodic_return", 10, 99.0).unwrap();
    let name = writer.name().to_owned();
    drop(writer);

    let mut writer = EventWriter::reopen(&run, &name, length).unwrap();
    writer
        .scalar("charts/episodic_return", 1 << 40, -1.5)
        .unwrap();
    writer.sync().unwrap();

    let output = Command::new(python)
        .arg("-c")
        .arg(READER)
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let expected = "charts/episodic_return 5 0.25\n\
        charts/episodic_return 1099511627776 -1.5\n\
        losses/td_loss 300 0.0010000000474974513\n\
        configuration ```toml\nseed = 1\n```\n";
    assert_eq!(text, expected);
}
