//! What stands at a path before a file is written there is followed, kept or left alone.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::Command,
    thread,
};

use crystalgym_crystal::{AtomicFile, write_atomically};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_pipe_and_a_device_are_written_into() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let reader = thread::spawn({
        let pipe = pipe.clone();
        move || {
            let mut text = String::new();
            File::open(pipe).unwrap().read_to_string(&mut text).unwrap();
            text
        }
    });
    write_atomically(&pipe, b"through").unwrap();
    assert_eq!(reader.join().unwrap(), "through");
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    // Nobody reads: an error, and no wait for ever.
    let error = write_atomically(&pipe, b"to nobody").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected);

    let null = folder.path().join("null");
    symlink("/dev/null", &null).unwrap();
    write_atomically(&null, b"away").unwrap();
    assert!(
        fs::metadata("/dev/null")
            .unwrap()
            .file_type()
            .is_char_device()
    );
    assert_eq!(fs::read_link(&null).unwrap(), Path::new("/dev/null"));
    assert_eq!(names(folder.path()), ["null", "pipe"]);
}

#[test]
fn links_are_followed_to_files_that_exist_and_to_files_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("old"), "old").unwrap();
    for (link, target) in [
        ("first", "second"),
        ("second", "inner/old"),
        ("dangling", "inner/new"),
    ] {
        symlink(target, folder.path().join(link)).unwrap();
    }
    write_atomically(&folder.path().join("first"), b"1").unwrap();
    write_atomically(&folder.path().join("dangling"), b"2").unwrap();
    assert_eq!(fs::read_to_string(inner.join("old")).unwrap(), "1");
    assert_eq!(fs::read_to_string(inner.join("new")).unwrap(), "2");
    for link in ["first", "second", "dangling"] {
        assert!(folder.path().join(link).is_symlink(), "{link}");
    }
    symlink("round", folder.path().join("round")).unwrap();
    assert!(write_atomically(&folder.path().join("round"), b"3").is_err());
    assert_eq!(names(&inner), ["new", "old"]);
}

#[test]
fn mode_and_attributes_stay_and_new_files_get_the_usual_mode() {
    let folder = tempfile::tempdir().unwrap();
    let usual = folder.path().join("usual");
    File::create(&usual).unwrap();
    let path = folder.path().join("file");
    write_atomically(&path, b"new").unwrap();
    assert_eq!(mode(&path), mode(&usual));
    let has_attributes = xattr::set(&path, "user.note", b"kept").is_ok();
    for wanted in [0o600, 0o644, 0o664, 0o755] {
        fs::set_permissions(&path, fs::Permissions::from_mode(wanted)).unwrap();
        let before = fs::metadata(&path).unwrap();
        write_atomically(&path, format!("{wanted:o}").as_bytes()).unwrap();
        assert_eq!(mode(&path), wanted);
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{wanted:o}"));
        if has_attributes {
            assert_eq!(xattr::get(&path, "user.note").unwrap().unwrap(), b"kept");
        }
    }
    assert_eq!(names(folder.path()), ["file", "usual"]);
}

/// Only root may give files away; for others the file is their own already.
#[test]
fn the_owner_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "old").unwrap();
    if std::os::unix::fs::chown(&path, Some(12345), Some(23456)).is_err() {
        crystalgym_testing::missing("no right to give a file to another user");
        return;
    }
    write_atomically(&path, b"new").unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!((after.uid(), after.gid()), (12345, 23456));
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
}

#[test]
fn other_names_of_a_file_keep_what_they_held() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    fs::write(&one, "old").unwrap();
    fs::hard_link(&one, &other).unwrap();
    write_atomically(&one, b"new").unwrap();
    assert_eq!(fs::read_to_string(&one).unwrap(), "new");
    assert_eq!(fs::read_to_string(&other).unwrap(), "old");
}

#[test]
fn a_folder_and_a_missing_folder_are_errors_and_an_abandoned_file_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    assert!(write_atomically(folder.path(), b"x").is_err());
    assert!(write_atomically(&folder.path().join("no/file"), b"x").is_err());
    let path = folder.path().join("file");
    fs::write(&path, "old").unwrap();
    let mut file = AtomicFile::create(&path).unwrap();
    file.write_all(b"half").unwrap();
    drop(file);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    let long = folder.path().join("n".repeat(255));
    write_atomically(&long, b"long").unwrap();
    assert_eq!(names(folder.path()), ["file".to_owned(), "n".repeat(255)]);
}

/// Runs as another user, since root may write everywhere.
#[test]
fn a_file_is_written_where_its_folder_may_not_be_and_a_read_only_file_is_not_replaced() {
    if std::env::var_os("CRYSTALGYM_TEST_AS_NOBODY").is_some() {
        let folder = std::env::current_dir().unwrap();
        write_atomically(&folder.join("closed/writable"), b"new and longer").unwrap();
        write_atomically(&folder.join("closed/writable"), b"new").unwrap();
        assert!(write_atomically(&folder.join("closed/another"), b"x").is_err());
        assert!(write_atomically(&folder.join("open/read-only"), b"x").is_err());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let set = |name: &str, mode| {
        fs::set_permissions(place(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    for name in ["closed", "open"] {
        fs::create_dir(place(name)).unwrap();
    }
    fs::write(place("closed/writable"), "old").unwrap();
    fs::write(place("open/read-only"), "old").unwrap();
    for (name, mode) in [
        ("", 0o755),
        ("closed/writable", 0o666),
        ("open/read-only", 0o444),
        ("closed", 0o555),
        ("open", 0o777),
    ] {
        set(name, mode);
    }
    let program = std::env::current_exe().unwrap();
    let test = "a_file_is_written_where_its_folder_may_not_be_and_a_read_only_file_is_not_replaced";
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut command = if is_root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.arg(program);
        command
    } else {
        Command::new(program)
    };
    let output = command
        .args(["--exact", test])
        .env("CRYSTALGYM_TEST_AS_NOBODY", "1")
        .current_dir(folder.path())
        .output();
    set("closed", 0o755);
    let Ok(output) = output else {
        crystalgym_testing::missing("no setpriv");
        return;
    };
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read_to_string(place("closed/writable")).unwrap(), "new");
    assert_eq!(fs::read_to_string(place("open/read-only")).unwrap(), "old");
    assert_eq!(names(&place("closed")), ["writable"]);
    assert_eq!(names(&place("open")), ["read-only"]);
}
