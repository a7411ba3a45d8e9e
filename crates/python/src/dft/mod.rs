//! Ground states of structures by the built-in plane-wave engine.

mod arguments;
mod electrons;
mod solve;

pub(crate) use self::{arguments::gth_upf, electrons::GroundState, solve::ground_state};
