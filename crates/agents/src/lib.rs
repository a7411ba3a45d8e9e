//! Reinforcement-learning algorithms over the crystal environment.
