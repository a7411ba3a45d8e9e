//! Result files: written, verified by the calculator, and caught when somebody edits them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod consistency;
mod elements;
mod files;
mod leaderboard;
mod support;
mod tables;
mod values;
