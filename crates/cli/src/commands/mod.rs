//! One file per subcommand: its arguments, then `run`.

pub(crate) mod bench;
pub(crate) mod convert;
pub(crate) mod evaluate;
pub(crate) mod list;
pub(crate) mod model;
pub(crate) mod pseudo;
pub(crate) mod relax;
pub(crate) mod rollout;
pub(crate) mod store;
pub(crate) mod train;
pub(crate) mod watch;
