//! Quantum ESPRESSO pw.x: decks, processes, output.
//!
//! [`PwSettings`] and a structure make a deck ([`PwInput`], built by [`Decks`]); [`PwRunner`] runs
//! the user's command on it in a private scratch folder and reads the text output into a
//! [`PwOutput`]. What goes wrong is a [`PwFailure`] with its kind. [`EvFit`] runs `ev.x`.
//!
//! Units are those of PWscf: Ry, bohr, kbar; Å for the cells that go into a deck.

mod decks;
mod error_box;
mod ev;
mod failure;
mod failure_kind;
mod input;
mod input_text;
mod output;
mod parser;
mod range;
mod run_time;
mod runner;
mod session;
mod settings;
mod units;

pub use decks::{Decks, PwSpecies};
pub use error_box::ErrorBox;
pub use ev::EvFit;
pub use failure::PwFailure;
pub use failure_kind::PwFailureKind;
pub use input::{
    Calculation, Control, Electrons, Occupations, Positions, PwInput, RELAXED_FORCE_RY_BOHR,
    Species, System,
};
pub use output::{PwOutput, RelaxStep, ScfCycle};
pub use parser::PwOutputParser;
pub use range::SettingRange;
pub use runner::{PwRun, PwRunner};
pub use settings::{InvalidPwSettings, Profile, PwSettings, Smearing};
pub use units::{BOHR_ANG, EV_PER_RY, GPA_PER_RY_BOHR3};
