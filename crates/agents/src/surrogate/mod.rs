//! An agent that models the property instead of the reward: every calculation is true for every
//! target, every order of filling and every symmetric image.

mod acquisition;
mod belief;
mod cheap_calculator;
mod completion;
mod config;
mod learner;
mod pool;
mod proposal;
mod reach;
mod results;
mod screening;
mod sight;
mod trust;

pub use self::{acquisition::Acquisition, config::SurrogateConfig, learner::SurrogateAgent};
