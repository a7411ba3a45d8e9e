//! The crystal-filling Markov decision process.
