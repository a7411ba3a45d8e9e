//! The extension module `crystalgym._crystalgym`: what the Python package needs from Rust.
//!
//! Every call that can take long goes through [`engine::enter`], which releases the interpreter
//! lock and lets Ctrl-C through. Every error of a library becomes an exception of
//! `crystalgym.errors` in [`errors`], with a code and values.

mod arrays;
mod batch;
mod calculator;
mod command_line;
mod dft;
mod electronic;
mod engine;
mod environment;
mod errors;
mod evaluation;
mod exhaustive;
mod graph;
mod html;
mod json;
mod kept_error;
mod metrics;
mod observation;
mod potential;
mod python_calculator;
mod python_potential;
mod run;
mod search;
mod skeleton;
mod store;
mod structure;
mod table;
mod task;
mod train;
mod whole;

use pyo3::prelude::*;

#[pymodule]
mod _crystalgym {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::{
        calculator::Calculator,
        command_line::command_line,
        dft::{GroundState, ground_state, gth_upf},
        electronic::{BandStructure, DensityOfStates},
        environment::EnvironmentBatch,
        evaluation::{Evaluation, evaluate},
        exhaustive::{ExhaustiveTable, shipped_tables},
        graph::CrystalGraph,
        metrics::{
            Diversity, Validity, diversity, first_of_each, is_charge_balanced, novel, primitive,
            reduced_formula, same_structure, validity,
        },
        potential::MlPotential,
        run::{TrainedPolicy, read_episodes},
        search::{Finding, SearchResult, search},
        skeleton::{Crystal, Skeleton},
        store::ResultStore,
        structure::{
            Structure, element_data, k_mesh, niggli_reduce, properties, space_group, write_file,
        },
        table::Table,
        task::{Task, reward_of, tasks},
        train::train_run,
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
