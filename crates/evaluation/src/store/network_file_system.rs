//! Whether a folder lies on a network file system, where SQLite's locks and shared memory do not hold
//! between machines (<https://www.sqlite.org/wal.html>, section 1).

use std::path::Path;

use nix::sys::statfs::statfs;

/// Numbers of Linux's file systems (statfs(2), linux/magic.h; Lustre's, GPFS's and BeeGFS's from
/// their own sources).
const NETWORK_FILE_SYSTEMS: [(i64, &str); 10] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFE53_4D42, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
    (0x7461_636F, "OCFS2"),
];

/// The name of the network file system that a path lies on, or would if it were made.
pub(super) fn network_file_system(path: &Path) -> Option<&'static str> {
    let absolute = std::path::absolute(path).ok()?;
    let existing = absolute.ancestors().find(|path| path.exists())?;
    let kind = statfs(existing).ok()?.filesystem_type();
    #[allow(clippy::unnecessary_cast, reason = "its type differs between targets")]
    name_of(kind.0 as i64)
}

/// Where a C `long` is short, numbers above 2³¹ come out negative.
fn name_of(kind: i64) -> Option<&'static str> {
    let found = NETWORK_FILE_SYSTEMS
        .iter()
        .find(|(number, _)| kind & 0xFFFF_FFFF == *number);
    found.map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the table in statfs(2).
    #[test]
    fn file_systems_of_a_network_are_told_from_local_ones() {
        assert_eq!(name_of(0x6969), Some("NFS"));
        assert_eq!(name_of(0xFE53_4D42), Some("SMB"));
        assert_eq!(name_of(0xFE53_4D42_u32 as i32 as i64), Some("SMB"));
        // ext4, XFS, Btrfs, tmpfs, overlayfs, ZFS
        for local in [
            0xEF53,
            0x5846_5342,
            0x9123_683E,
            0x0102_1994,
            0x794C_7630,
            0x2FC1_2FC1,
        ] {
            assert_eq!(name_of(local), None, "{local:x}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(network_file_system(&folder.path().join("not/there")), None);
    }
}
