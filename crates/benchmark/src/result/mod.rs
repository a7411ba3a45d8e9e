//! One file that says all that a benchmark found, for others to verify and compare.
//!
//! [`write_result`] (a benchmark folder → a file) → [`ResultFile::read`] → [`problems`] (does it
//! agree with itself?) → [`verify`] (does the calculator say the same, and the agent?) →
//! [`Leaderboard`].

mod bounded;
mod claims;
mod compositions;
mod consistency;
mod elements;
mod file;
mod groups;
mod identity;
mod leaderboard;
mod read;
mod replay;
mod rows;
mod verification;
mod whole;
mod write;

pub use claims::{Choice, Found, calculators, chance_of_missing};
pub use compositions::Composition;
pub(crate) use compositions::Compositions;
pub use consistency::problems;
pub use file::{Measures, ResultEpisode, ResultFile, ResultJob, ResultRollout, ResultSettings};
pub use leaderboard::{Leaderboard, LeaderboardRow};
pub use read::SealedResult;
pub(crate) use rows::read_rows;
pub use verification::{
    Check, Coverage, MakeCalculator, Replay, Verdict, Verification, VerifyOptions, record_path,
    verify,
};
pub use write::{WrittenResult, write_result};
