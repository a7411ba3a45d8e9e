//! Installation from archives made on the fly, good and hostile ones, read from a file and from a
//! web server of the test's own on 127.0.0.1. The real download is not part of the tests.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    thread,
};

use common::{element, manifest, md5_hex, upf, valence};
use crystalgym_pseudopotential::{
    ArchiveSource, InstallReport, Installation, Manifest, PseudopotentialError,
    PseudopotentialFamily,
};
use flate2::{Compression, write::GzEncoder};
use tar::{EntryType, Header};

type Gz = GzEncoder<Vec<u8>>;

fn family() -> Manifest {
    manifest(&[("H", "h.UPF"), ("Cl", "cl.UPF")])
}

fn archive(fill: impl FnOnce(&mut tar::Builder<Gz>)) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    fill(&mut builder);
    builder.into_inner().unwrap().finish().unwrap()
}

/// Appends an entry with exactly this path, which the tar crate's own writer would refuse.
fn append(builder: &mut tar::Builder<Gz>, path: &str, kind: EntryType, content: &[u8]) {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    if kind.is_symlink() || kind.is_hard_link() {
        header.set_link_name("/etc/passwd").unwrap();
    }
    header.set_cksum();
    builder.append(&header, content).unwrap();
}

fn append_family(builder: &mut tar::Builder<Gz>) {
    for (symbol, file) in [("H", "./h.UPF"), ("Cl", "cl.UPF")] {
        let content = upf(symbol, valence(symbol));
        append(builder, file, EntryType::Regular, content.as_bytes());
    }
}

/// What an installation into `root/family` gives; `root` may hold nothing else afterwards.
fn install(
    root: &Path,
    manifest: &Manifest,
    source: ArchiveSource,
    change: impl FnOnce(&mut Installation),
) -> Result<InstallReport, PseudopotentialError> {
    let mut installation = Installation::new(manifest.clone(), root.join("family"));
    installation.source = Some(source);
    change(&mut installation);
    let result = installation.run(&mut |_, _| {});
    let left: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != "family")
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    result
}

fn from_bytes(root: &Path, bytes: &[u8]) -> Result<InstallReport, PseudopotentialError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    let source = ArchiveSource::File(file.path().to_owned());
    install(root, &family(), source, |_| {})
}

/// Answers one request with `head` and `body`, then closes the connection.
fn serve_once(head: String, body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 1024];
        while !request.ends_with(b"\r\n\r\n") {
            let count = stream.read(&mut buffer).unwrap();
            request.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(head.as_bytes()).unwrap();
        // The client may hang up on an answer that it does not like.
        let _ = stream.write_all(&body);
    });
    format!("http://{address}/family.tar.gz")
}

fn ok_head(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
}

#[test]
fn a_good_archive_is_installed_and_opens() {
    let root = tempfile::tempdir().unwrap();
    let bytes = archive(append_family);
    let url = serve_once(ok_head(bytes.len()), bytes.clone());
    let mut seen = 0;
    let mut installation = Installation::new(family(), root.path().join("family"));
    installation.source = Some(ArchiveSource::Url(url));
    let report = installation.run(&mut |read, _| seen = read).unwrap();
    assert_eq!(seen, bytes.len() as u64);
    assert_eq!(report.elements, [element("H"), element("Cl")]);
    assert!(!report.already_installed);

    let opened = PseudopotentialFamily::open_folder(&root.path().join("family")).unwrap();
    assert_eq!(opened.name(), "test");
    assert!(opened.check().unwrap().is_complete());

    // A second time there is nothing to do, and no source is asked.
    let source = ArchiveSource::File("no such file".into());
    let again = install(root.path(), &family(), source, |_| {}).unwrap();
    assert!(again.already_installed);
}

#[test]
fn files_outside_the_table_need_the_published_archive() {
    let bytes = archive(|builder| {
        append_family(builder);
        append(
            builder,
            "na.upf",
            EntryType::Regular,
            upf("Na", 9.0).as_bytes(),
        );
        append(builder, "LICENSE.txt", EntryType::Regular, b"terms");
        append(builder, "README.md", EntryType::Regular, b"ignored");
    });
    let root = tempfile::tempdir().unwrap();
    let report = from_bytes(root.path(), &bytes).unwrap();
    assert_eq!(report.elements, [element("H"), element("Cl")]);
    assert_eq!(report.left_out, ["na.upf", "LICENSE.txt"]);
    assert!(!root.path().join("family/na.upf").exists());

    let published = Manifest {
        archive_md5: Some(md5_hex(&bytes)),
        ..family()
    };
    let root = tempfile::tempdir().unwrap();
    let url = serve_once(ok_head(bytes.len()), bytes);
    let report = install(root.path(), &published, ArchiveSource::Url(url), |_| {}).unwrap();
    let all = [element("H"), element("Na"), element("Cl")];
    assert_eq!(report.elements, all);
    assert!(root.path().join("family/LICENSE.txt").exists());
    assert!(!root.path().join("family/README.md").exists());
    let opened = PseudopotentialFamily::open_folder(&root.path().join("family")).unwrap();
    assert_eq!(
        opened.pseudopotential(element("Na")).unwrap().z_valence,
        9.0
    );
}

/// Every bad archive is refused with a message that says why, and leaves no folder.
#[test]
fn bad_archives_are_refused() {
    let entry = |path: &'static str, kind: EntryType| {
        archive(move |builder| {
            append_family(builder);
            let size = if kind.is_file() { 3 } else { 0 };
            append(builder, path, kind, &b"bad"[..size]);
        })
    };
    let good = archive(append_family);
    let mut flipped = good.clone();
    // In the gzip stream's own checksum, its last eight bytes but four.
    let checksum = flipped.len() - 6;
    flipped[checksum] ^= 0x40;
    let wrong_md5 = archive(|builder| {
        append(
            builder,
            "h.UPF",
            EntryType::Regular,
            upf("H", 3.0).as_bytes(),
        );
    });
    let incomplete = archive(|builder| {
        append(
            builder,
            "h.UPF",
            EntryType::Regular,
            upf("H", 1.0).as_bytes(),
        );
    });
    let bomb = archive(|builder| {
        append(builder, "zeros", EntryType::Regular, &vec![0; 65 << 20]);
    });
    // Names that are read into memory before anything is known of the entry.
    let long_names = [EntryType::GNULongName, EntryType::XHeader].map(|kind| {
        archive(|builder| append(builder, "././@LongLink", kind, &vec![b'a'; 1 << 20]))
    });
    let [long_name, long_header] = long_names;
    let escape = archive(|builder| {
        append_family(builder);
        append(
            builder,
            "././@LongLink",
            EntryType::GNULongName,
            b"../e.upf\0",
        );
        append(builder, "short.upf", EntryType::Regular, b"bad");
    });
    let cases: [(&str, Vec<u8>, &str); 15] = [
        (
            "long name",
            long_name,
            "the name of an entry: 1048576 bytes",
        ),
        ("long header", long_header, "the name of an entry: 1048576"),
        ("escape by a long name", escape, "'../e.upf' would leave"),
        (
            "path escape",
            entry("../escape.upf", EntryType::Regular),
            "'../escape.upf' would leave",
        ),
        (
            "hidden escape",
            entry("a/../../b.upf", EntryType::Regular),
            "would leave",
        ),
        (
            "absolute",
            entry("/tmp/escape.upf", EntryType::Regular),
            "would leave",
        ),
        (
            "symlink",
            entry("link.upf", EntryType::Symlink),
            "'link.upf' is Symlink",
        ),
        ("hard link", entry("link.upf", EntryType::Link), "is Link"),
        ("device", entry("null", EntryType::Char), "is Char"),
        ("wrong sum", wrong_md5, "MD5 sum is"),
        ("incomplete", incomplete, "lacks cl.UPF (Cl)"),
        ("truncated", good[..good.len() - 20].to_vec(), "damaged"),
        ("flipped bit", flipped, "damaged"),
        (
            "not gzip",
            b"<html>moved</html>".to_vec(),
            "damaged or not a .tar.gz",
        ),
        ("bomb", bomb, "more than the limit"),
    ];
    for (case, bytes, expected) in cases {
        let root = tempfile::tempdir().unwrap();
        let error = from_bytes(root.path(), &bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{case}: {error}");
        assert!(!root.path().join("family").exists(), "{case}");
    }
}

/// Oracle: the formats of GNU tar and of POSIX for paths of more than 100 characters.
#[test]
fn long_paths_are_followed() {
    let folder = "a".repeat(120);
    let bytes = archive(|builder| {
        let path = format!("{folder}/h.UPF\0");
        append(
            builder,
            "././@LongLink",
            EntryType::GNULongName,
            path.as_bytes(),
        );
        append(builder, "cut", EntryType::Regular, upf("H", 1.0).as_bytes());
        let path = format!("path={folder}/cl.UPF\n");
        let record = format!("{} {path}", path.len() + 4);
        append(builder, "x", EntryType::XHeader, record.as_bytes());
        append(
            builder,
            "cut",
            EntryType::Regular,
            upf("Cl", 7.0).as_bytes(),
        );
    });
    let root = tempfile::tempdir().unwrap();
    let report = from_bytes(root.path(), &bytes).unwrap();
    assert_eq!(report.elements, [element("H"), element("Cl")]);
}

/// Headers may lie about sizes: the bytes that really come out are what counts.
#[test]
fn limits_hold_for_the_sum_of_all_files() {
    let many = archive(|builder| {
        for index in 0..20 {
            let name = format!("{index}.upf");
            append(builder, &name, EntryType::Regular, &[0; 1000]);
        }
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &many).unwrap();
    let source = || ArchiveSource::File(file.path().to_owned());
    let root = tempfile::tempdir().unwrap();
    let error = |change: fn(&mut Installation)| {
        install(root.path(), &family(), source(), change)
            .unwrap_err()
            .to_string()
    };
    let total = error(|installation| installation.limits.total_bytes = 10_000);
    assert!(total.contains("unpacks to more than the limit"), "{total}");
    let entries = error(|installation| installation.limits.entries = 10);
    assert!(entries.contains("more than 10 entries"), "{entries}");
    let archive = error(|installation| installation.limits.archive_bytes = 10);
    assert!(archive.contains("more than the limit of 10"), "{archive}");
}

#[test]
fn download_faults_are_named() {
    let good = archive(append_family);
    let length = good.len();
    let cut = good[..length / 2].to_vec();
    let cases = [
        ("cut off", ok_head(length), cut, "after"),
        (
            "not found",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into(),
            vec![],
            "404",
        ),
        ("too large", ok_head(1 << 40), vec![], "more than the limit"),
        (
            "no server",
            String::new(),
            vec![],
            "download of http://127.0.0.1",
        ),
    ];
    for (case, head, body, expected) in cases {
        let root = tempfile::tempdir().unwrap();
        let url = serve_once(head, body);
        let error = install(
            root.path(),
            &family(),
            ArchiveSource::Url(url.clone()),
            |_| {},
        )
        .unwrap_err()
        .to_string();
        assert!(
            error.contains(expected) && error.contains(&url),
            "{case}: {error}"
        );
        assert!(!root.path().join("family").exists(), "{case}");
    }
    let root = tempfile::tempdir().unwrap();
    let source = ArchiveSource::Url("file:///etc/passwd".into());
    let error = install(root.path(), &family(), source, |_| {}).unwrap_err();
    assert!(error.to_string().contains("expected an http://"), "{error}");
}

#[test]
fn a_folder_in_use_is_kept_unless_replaced_by_a_good_archive() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("family");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("precious.txt"), "mine").unwrap();
    let good = archive(append_family);
    let error = from_bytes(root.path(), &good).unwrap_err();
    assert!(
        matches!(error, PseudopotentialError::FolderInUse { .. }),
        "{error}"
    );

    let replace = |bytes: &[u8]| {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        let source = ArchiveSource::File(file.path().to_owned());
        install(root.path(), &family(), source, |installation| {
            installation.replace = true
        })
    };
    replace(&good[..good.len() / 2]).unwrap_err();
    assert_eq!(
        fs::read_to_string(folder.join("precious.txt")).unwrap(),
        "mine"
    );
    replace(&good).unwrap();
    assert!(!folder.join("precious.txt").exists());
    assert!(folder.join("h.UPF").exists());
}
