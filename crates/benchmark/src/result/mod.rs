//! One file that says all that a benchmark found, for others to verify and compare.
//!
//! [`write_result`] (a benchmark folder → a file) → [`ResultFile::read`] → [`problems`] (does it
//! agree with itself?) → [`verify`] (does the calculator say the same?) → [`Leaderboard`].

mod compositions;
mod consistency;
mod file;
mod leaderboard;
mod rows;
mod verification;
mod write;

pub use compositions::Composition;
pub(crate) use compositions::Compositions;
pub use consistency::problems;
pub use file::{
    Measures, ResultEpisode, ResultFile, ResultJob, ResultRollout, ResultSettings, SealedResult,
};
pub use leaderboard::{Leaderboard, LeaderboardRow};
pub(crate) use rows::read_rows;
pub use verification::{
    Check, Choice, Found, MakeCalculator, Verdict, Verification, VerifyOptions, calculators,
    record_path, verify,
};
pub use write::{WrittenResult, write_result};
