//! What makes two results the same: what they say, not how it is written down or by whom.

use std::fmt::Write as _;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::file::{ResultFile, ResultJob};

/// SHA-256 of what a file says, in hexadecimal digits.
pub(super) fn content_sha256(file: &ResultFile) -> String {
    let mut digest = Sha256::new();
    digest.update(serde_json::to_vec(file).unwrap_or_default());
    hexadecimal(&digest.finalize())
}

/// SHA-256 of what a job's agent did: the crystals in their order, on one task at one scale.
///
/// Name, seed, values, returns and wall times play no part. Training is deterministic, so that two
/// jobs with the same identity are one job written down twice.
pub(super) fn run_identity(job: &ResultJob) -> String {
    let mut digest = Sha256::new();
    let task = json!([
        job.experiment,
        job.skeletons,
        job.property,
        job.target,
        job.algorithm,
        job.scale,
        job.fingerprint
    ]);
    digest.update(task.to_string());
    for row in &job.episodes {
        digest.update(format!("\n{} {} {}", row.step, row.skeleton, row.elements));
    }
    for row in &job.rollouts {
        digest.update(format!("\n{} {} {}", row.mode, row.skeleton, row.elements));
    }
    hexadecimal(&digest.finalize())
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
