//! Sizes beyond which an archive is refused.

/// Sizes beyond which an archive is refused; the defaults are several times the largest published
/// family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Of the compressed archive, in bytes.
    pub archive_bytes: u64,
    /// Of one unpacked file, in bytes.
    pub file_bytes: u64,
    /// Of everything unpacked, in bytes.
    pub total_bytes: u64,
    /// Number of entries.
    pub entries: usize,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            archive_bytes: 512 << 20,
            file_bytes: 32 << 20,
            total_bytes: 512 << 20,
            entries: 2000,
        }
    }
}

/// The message for a size above its limit, both in bytes.
pub(super) fn too_large(found: u64, limit: u64) -> String {
    format!("{found} bytes are more than the limit of {limit}")
}
