//! One file per subcommand: its arguments, then `run`.

pub(crate) mod bands;
pub(crate) mod bench;
pub(crate) mod cluster;
pub(crate) mod convergence;
pub(crate) mod convert;
mod crystal_arguments;
pub(crate) mod dos;
mod electrons;
pub(crate) mod evaluate;
pub(crate) mod list;
pub(crate) mod llm;
pub(crate) mod model;
pub(crate) mod pseudo;
pub(crate) mod relax;
pub(crate) mod rollout;
pub(crate) mod search;
pub(crate) mod store;
pub(crate) mod table;
pub(crate) mod train;
pub(crate) mod watch;
pub(crate) mod worker;
