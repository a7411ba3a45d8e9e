//! The reader of archives: what it reads, and that nothing else does harm.

use proptest::{
    collection::vec,
    prelude::{ProptestConfig, any},
    proptest,
};

use super::{
    pickle::{Object, Pickle},
    torch::read_state_dict,
    zip::Zip,
};

fn text(s: &str) -> Vec<u8> {
    [
        b"X",
        (s.len() as u32).to_le_bytes().as_slice(),
        s.as_bytes(),
    ]
    .concat()
}

/// `_rebuild_tensor_v2((('storage', FloatStorage, key, 'cpu', len)), 0, shape, strides, False,
/// OrderedDict())`
fn tensor(key: &str, len: u8, shape: [u8; 2]) -> Vec<u8> {
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
        text("storage"),
        b"ctorch\nFloatStorage\n".to_vec(),
        text(key),
        text("cpu"),
        vec![b'K', len, b't', b'Q', b'K', 0],
        vec![b'K', shape[0], b'K', shape[1], 0x86],
        vec![b'K', shape[1], b'K', 1, 0x86, 0x89],
        b"ccollections\nOrderedDict\n)RtR".to_vec(),
    ]
    .concat()
}

/// `{'model': {'state_dict': OrderedDict(a=…, b=…), 'more': [1.5, None, True, -3]}}`
fn pickle_of_two_tensors() -> Vec<u8> {
    [
        vec![0x80, 2, b'}', b'q', 0],
        text("model"),
        b"}(".to_vec(),
        text("state_dict"),
        b"ccollections\nOrderedDict\n)Rr\x01\x02\x00\x00(".to_vec(),
        text("a"),
        tensor("0", 6, [2, 3]),
        text("b"),
        tensor("1", 1, [1, 1]),
        b"u}b".to_vec(),
        text("more"),
        b"](G".to_vec(),
        1.5_f64.to_be_bytes().to_vec(),
        vec![b'N', 0x88, b'J'],
        (-3_i32).to_le_bytes().to_vec(),
        b"eus.".to_vec(),
    ]
    .concat()
}

/// An archive of stored entries.
fn zip_of(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in entries {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let size = (content.len() as u32).to_le_bytes();
        let name_length = (name.len() as u16).to_le_bytes();
        let start = (bytes.len() as u32).to_le_bytes();
        let common = [
            [20, 0, 0, 0, 0, 0, 0, 0, 0, 0].as_slice(),
            &crc.sum().to_le_bytes(),
            &size,
            &size,
            &name_length,
            &[0, 0],
        ]
        .concat();
        bytes.extend([b"PK\x03\x04", common.as_slice(), name.as_bytes(), content].concat());
        let rest = [[0; 10].as_slice(), &start, name.as_bytes()].concat();
        directory.extend([b"PK\x01\x02\x14\x00", common.as_slice(), &rest].concat());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let start = (bytes.len() as u32).to_le_bytes();
    let size = (directory.len() as u32).to_le_bytes();
    let end = [
        b"PK\x05\x06\0\0\0\0",
        count.as_slice(),
        &count,
        &size,
        &start,
        &[0, 0],
    ]
    .concat();
    [bytes, directory, end].concat()
}

fn numbers(list: &[f32]) -> Vec<u8> {
    list.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn archive() -> Vec<u8> {
    zip_of(&[
        ("run/data.pkl", pickle_of_two_tensors()),
        ("run/data/0", numbers(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
        ("run/data/1", numbers(&[-0.5])),
    ])
}

#[test]
fn an_archive_gives_its_tensors() {
    let tensors = read_state_dict(&archive(), &["model", "state_dict"]).unwrap();
    assert_eq!(tensors.len(), 2);
    assert_eq!(tensors["a"].shape, [2, 3]);
    assert_eq!(tensors["a"].values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(tensors["b"].values, [-0.5]);
    let pickle = pickle_of_two_tensors();
    let pickle = Pickle::read(&pickle).unwrap();
    let model = pickle.get(pickle.root(), "model").unwrap();
    assert!(matches!(pickle.get(model, "more"), Some(Object::List(list)) if list.len() == 4));
}

#[test]
fn what_could_run_something_is_refused_by_name() {
    let refused = |bytes: &[u8]| Pickle::read(bytes).unwrap_err().to_string();
    for (bytes, reason) in [
        (
            &b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R."[..],
            "it names \"posix.system\"",
        ),
        (
            b"\x80\x02c__builtin__\neval\n.",
            "it names \"__builtin__.eval\"",
        ),
        (
            b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
            "a call of something else",
        ),
        (
            b"\x80\x02ccollections\nOrderedDict\n}\x85R.",
            "a call of something else",
        ),
        (
            b"\x80\x02ctorch\nFloatStorage\n}b.",
            "it builds what is no dictionary",
        ),
        (
            b"\x80\x04\x8c\x05posix\x8c\x06system\x93.",
            "protocol 4, expected 2",
        ),
        (b"\x80\x02(iposix\nsystem\n.", "the opcode 0x69"),
        (b"\x80\x02X\x05\x00\x00\x00posixQ.", "it names a storage"),
    ] {
        let found = refused(bytes);
        assert!(found.contains(reason), "{found}");
    }
    // Every opcode that is not one of plain data is refused where it stands.
    let known = b"}])NJKMGXqrhj(taesucQRb.\x80\x85\x86\x87\x88\x89";
    for opcode in 0..=255_u8 {
        if !known.contains(&opcode) {
            let found = refused(&[0x80, 2, opcode, 0, 0, 0, 0, b'.']);
            let expected = format!("refused at byte 2: the opcode 0x{opcode:02x}");
            assert!(found.starts_with(&expected), "{found}");
        }
    }
}

#[test]
fn tensors_that_do_not_fit_their_storage_are_refused() {
    for (key, len, shape, reason) in [
        ("0", 5, [2, 3], "larger than its storage"),
        ("0", 7, [2, 3], "expected 7 numbers"),
        ("2", 6, [2, 3], "no entry \"run/data/2\""),
    ] {
        let pickle = [
            b"\x80\x02}".to_vec(),
            text("s"),
            b"}".to_vec(),
            text("a"),
            tensor(key, len, shape),
            b"ss.".to_vec(),
        ]
        .concat();
        let archive = zip_of(&[("run/data.pkl", pickle), ("run/data/0", numbers(&[0.0; 6]))]);
        let found = read_state_dict(&archive, &["s"]).unwrap_err();
        assert!(found.contains(reason), "{found}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever the bytes are, the readers answer.
    #[test]
    fn bytes_by_lot_are_answered(bytes in vec(any::<u8>(), 0..300)) {
        let _ = Pickle::read(&bytes);
        let _ = Pickle::read(&[b"\x80\x02}(", bytes.as_slice()].concat());
        let _ = Zip::open(&bytes);
    }

    /// Opcodes by lot, of those that are read, with small numbers after them.
    #[test]
    fn opcodes_by_lot_are_answered(picks in vec((0..29_usize, any::<[u8; 2]>()), 0..200)) {
        let known = b"}])NJKMGXqrhj(taesucQRb.\x80\x85\x86\x87\x88\x89";
        let mut bytes = vec![0x80, 2];
        for (pick, numbers) in picks {
            bytes.push(known[pick % known.len()]);
            bytes.extend(numbers.map(|n| n % 4));
        }
        let _ = Pickle::read(&bytes);
    }

    /// A good archive with some bytes changed, and cut short: an error or tensors that fit.
    #[test]
    fn damaged_archives_are_answered(
        changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = archive();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            if let Ok(tensors) = read_state_dict(bytes, &["model", "state_dict"]) {
                for tensor in tensors.values() {
                    assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>());
                }
            }
            // The pickle alone, which the archive's own checksum guards otherwise.
            let pickle = pickle_of_two_tensors();
            let start = bytes.len().min(42);
            let end = bytes.len().min(start + pickle.len());
            let _ = Pickle::read(&bytes[start..end]);
        }
    }
}
