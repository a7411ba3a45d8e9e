//! Files that are none, that are too large, and their schema.

use std::{fs, path::Path, process::Command};

use crystalgym_benchmark::{ResultFile, write_result};
use serde_json::json;

use crate::support::{Benchmark, NATIVE, RIGID, edited, result_of};

/// Anything may come from outside.
#[test]
fn bad_files_get_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = result_of(
        folder.path(),
        "rigid",
        &Benchmark {
            mixed: false,
            ..RIGID
        },
    );
    let text = fs::read_to_string(&file).unwrap();
    let step = text.find("\"step\":").unwrap();
    let comma = step + text[step..].find(',').unwrap();
    let with_step = |value: &str| format!("{}\"step\":{value}{}", &text[..step], &text[comma..]);
    let target = text.find("\"target\":").unwrap();
    let end = target + text[target..].find(',').unwrap();
    let with_target =
        |value: &str| format!("{}\"target\":{value}{}", &text[..target], &text[end..]);
    for (what, bytes, expected) in [
        (
            "truncated",
            text[..text.len() / 2].to_owned(),
            "not a result: EOF",
        ),
        ("empty", String::new(), "EOF"),
        ("another thing", "[1, 2]".to_owned(), "not a result"),
        (
            "format",
            text.replacen("crystalgym-result/1", "crystalgym-result/9", 1),
            "format is \"crystalgym-result/9\", expected \"crystalgym-result/1\"",
        ),
        ("NaN", with_target("NaN"), "not a result"),
        ("huge", with_target("1e999"), "number out of range"),
        ("negative", with_step("-5"), "jobs[0].episodes[0].step"),
        ("text", with_step("\"five\""), "jobs[0].episodes[0].step"),
        (
            "unknown field",
            text.replacen("\"target\":", "\"colour\":1,\"target\":", 1),
            "unknown field `colour`",
        ),
        (
            "twice",
            text.replacen("\"target\":", "\"target\":3.0,\"target\":", 1),
            "duplicate field `target`",
        ),
        (
            "algorithm",
            text.replacen("\"algorithm\":\"dqn\"", "\"algorithm\":\"a2c\"", 1),
            "unknown variant `a2c`",
        ),
    ] {
        let bad = folder.path().join("bad.json");
        fs::write(&bad, bytes).unwrap();
        let error = ResultFile::read(&bad).unwrap_err().to_string();
        assert!(
            error.contains(expected) && error.contains("bad.json"),
            "{what}: {error}"
        );
    }
    let packed = folder.path().join("bad.json.gz");
    fs::write(&packed, &text).unwrap();
    assert!(
        ResultFile::read(&packed)
            .unwrap_err()
            .to_string()
            .contains("bad.json.gz")
    );
    // What a default would fill in is missing all the same.
    for (group, member) in [
        ("calculator", "/native/max_iterations"),
        ("task", "/actions"),
    ] {
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let (parent, name) = member.rsplit_once('/').unwrap();
        let at = format!("/jobs/0/settings/{group}{parent}");
        let settings = value.pointer_mut(&at).unwrap().as_object_mut().unwrap();
        settings.remove(name).unwrap();
        let bad = folder.path().join("bad.json");
        fs::write(&bad, value.to_string()).unwrap();
        let error = ResultFile::read(&bad).unwrap_err().to_string();
        let missing = format!("{name} is missing");
        assert!(error.contains(&missing) && error.contains(group), "{error}");
    }
}

/// The same folder gives the same bytes, and the schema describes them. Oracle: the validator of
/// Python's jsonschema.
#[test]
fn files_follow_the_published_schema() {
    let folder = tempfile::tempdir().unwrap();
    let file = result_of(folder.path(), "rigid", &RIGID);
    let again = folder.path().join("again.json");
    write_result(&folder.path().join("rigid-runs"), "rigid", &again).unwrap();
    assert!(fs::read(&file).unwrap() == fs::read(&again).unwrap());
    let native = result_of(folder.path(), "native", &NATIVE);
    let wrong = edited(&file, &|file| {
        let row = &mut file["jobs"][0]["episodes"][0];
        row["failure"] = json!("odd_electron_count");
    });

    let Some(python) = crystalgym_testing::python_with(&["jsonschema"]) else {
        return;
    };
    let schema =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/benchmark-result.v1.json");
    let script = "import json, sys, jsonschema\n\
                  schema, *files = [json.load(open(name)) for name in sys.argv[1:]]\n\
                  validator = jsonschema.Draft202012Validator\n\
                  validator.check_schema(schema)\n\
                  for file in files:\n    \
                      print(len(list(validator(schema).iter_errors(file))))\n";
    let output = Command::new(python)
        .args(["-c", script])
        .args([&schema, &file, &native, &wrong])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let counts: Vec<usize> = shown.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(
        counts[..2],
        [0, 0],
        "{shown} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(counts[2] > 0);
}

/// What is small on disk and large in memory is refused before it is read as a whole.
#[test]
fn a_packed_file_cannot_take_all_memory() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let packed = folder.path().join("bomb.json.gz");
    let mut held_out = b"{\"format\":\"crystalgym-result/1\",\"name\":\"x\",\
        \"crystalgym_version\":\"0.1.0\",\"jobs\":[{\"held_out\":["
        .to_vec();
    held_out.extend(b"\"\",".repeat(2_000_000));
    for (text, expected) in [
        (vec![b' '; 80 << 20], "holds more than"),
        (held_out.clone(), "holds more than"),
    ] {
        let file = fs::File::create(&packed).unwrap();
        let mut writer = flate2::write::GzEncoder::new(file, flate2::Compression::best());
        writer.write_all(&text).unwrap();
        writer.finish().unwrap();
        let error = ResultFile::read(&packed).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let plain = folder.path().join("dense.json");
    fs::write(&plain, &held_out).unwrap();
    let error = ResultFile::read(&plain).unwrap_err().to_string();
    assert!(error.contains("values in"), "{error}");
    let error = ResultFile::read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("no regular file"), "{error}");
}
