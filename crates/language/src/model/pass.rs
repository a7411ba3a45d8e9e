//! A pass through the whole model: hidden states of chosen rows, and the way back.

use super::{
    layer::{Layer, LayerState},
    linear::{Dropout, Scratch},
    llama::Llama,
    sequence::Sequence,
    trainable::Trainable,
};
use crate::{
    LanguageError,
    operations::{rms_norm, rms_norm_backward},
};

/// What a pass keeps for its way back.
#[derive(Debug)]
pub struct Pass<'a> {
    sequences: &'a [Sequence],
    /// Rows whose hidden states were asked for.
    chosen: Vec<usize>,
    /// Input of each layer.
    inputs: Vec<Vec<f32>>,
    /// Activations of each layer, none if they are computed again.
    states: Vec<LayerState>,
    /// Input of the last norm, of the chosen rows.
    last: Vec<f32>,
    inverse: Vec<f32>,
    dropout: Dropout,
    scratch: Scratch,
}

/// How a pass is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PassOptions {
    /// Whether activations are computed again in the backward pass (Chen et al. 2016) instead of kept.
    pub checkpointing: bool,
    /// What the low-rank additions do not see.
    pub dropout: Dropout,
}

impl PassOptions {
    /// Nothing is dropped, everything is kept.
    pub const PLAIN: Self = Self {
        checkpointing: false,
        dropout: Dropout::NONE,
    };
}

impl Llama {
    /// Hidden states, after the last norm, of the chosen rows (counted through all sequences), and what
    /// the way back needs.
    ///
    /// # Errors
    /// [`LanguageError::Tokens`] for a token that the model does not have, or a row that is not there.
    pub fn forward<'a>(
        &self,
        trainable: &Trainable,
        sequences: &'a [Sequence],
        chosen: Vec<usize>,
        options: PassOptions,
    ) -> Result<(Vec<f32>, Pass<'a>), LanguageError> {
        let hidden = self.config.hidden_size;
        let mut x = self.embed(trainable, sequences)?;
        if let Some(row) = chosen.iter().find(|row| **row * hidden >= x.len()) {
            return Err(LanguageError::Tokens(format!("there is no row {row}")));
        }
        let mut pass = Pass {
            sequences,
            inputs: Vec::with_capacity(self.layers.len()),
            states: Vec::new(),
            last: Vec::new(),
            inverse: vec![0.0; chosen.len()],
            dropout: options.dropout,
            scratch: Scratch::default(),
            chosen,
        };
        let mut again = LayerState::default();
        for index in 0..self.layers.len() {
            let layer = self.layer(trainable, index, options.dropout);
            let y = if options.checkpointing {
                layer.forward(sequences, &x, &mut again, &mut pass.scratch)
            } else {
                let mut state = LayerState::default();
                let y = layer.forward(sequences, &x, &mut state, &mut pass.scratch);
                pass.states.push(state);
                y
            };
            pass.inputs.push(std::mem::replace(&mut x, y));
        }
        for &row in &pass.chosen {
            pass.last.extend_from_slice(&x[row * hidden..][..hidden]);
        }
        let mut out = vec![0.0; pass.last.len()];
        let epsilon = self.config.rms_norm_eps as f32;
        let norm = self.last_norm(trainable).0;
        rms_norm(
            hidden,
            epsilon,
            norm,
            &pass.last,
            &mut out,
            &mut pass.inverse,
        );
        Ok((out, pass))
    }

    /// Adds to the gradients of what is trained what a gradient of the chosen hidden states means.
    pub fn backward(
        &self,
        trainable: &Trainable,
        mut pass: Pass<'_>,
        d_hidden: &[f32],
        gradients: &mut [f32],
    ) {
        let hidden = self.config.hidden_size;
        let rows: usize = pass.sequences.iter().map(Sequence::len).sum();
        let (norm, at) = self.last_norm(trainable);
        let mut d_last = vec![0.0; d_hidden.len()];
        let dw = at.map(|at| &mut gradients[at..at + hidden]);
        let seen = (norm, &pass.last[..], &pass.inverse[..]);
        rms_norm_backward(hidden, seen, d_hidden, &mut d_last, dw);
        let mut gradient = vec![0.0; rows * hidden];
        for (&row, d) in pass.chosen.iter().zip(d_last.chunks_exact(hidden)) {
            let sum = &mut gradient[row * hidden..][..hidden];
            sum.iter_mut().zip(d).for_each(|(sum, d)| *sum += d);
        }
        for index in (0..self.layers.len()).rev() {
            let layer = self.layer(trainable, index, pass.dropout);
            let (x, sequences) = (pass.inputs.pop().unwrap_or_default(), pass.sequences);
            let mut state = pass.states.pop().unwrap_or_else(|| {
                let mut state = LayerState::default();
                layer.forward(sequences, &x, &mut state, &mut pass.scratch);
                state
            });
            let scratch = &mut pass.scratch;
            layer.backward(sequences, &x, &mut state, &mut gradient, gradients, scratch);
        }
        self.embed_backward(trainable, pass.sequences, &gradient, gradients);
    }

    fn layer<'a>(&'a self, trainable: &'a Trainable, index: usize, dropout: Dropout) -> Layer<'a> {
        Layer {
            model: self,
            trainable,
            index,
            dropout,
        }
    }

    /// Weights of the two norms of a layer.
    pub(super) fn layer_norms<'a>(
        &'a self,
        trainable: &'a Trainable,
        index: usize,
    ) -> (&'a [f32], &'a [f32]) {
        let layer = self.layer(trainable, index, Dropout::NONE);
        (layer.norm(false).0, layer.norm(true).0)
    }

    pub(super) fn last_norm<'a>(&'a self, trainable: &'a Trainable) -> (&'a [f32], Option<usize>) {
        match trainable.whole() {
            Some(whole) => {
                let range = whole.norm..whole.norm + self.config.hidden_size;
                (&trainable.values()[range], Some(whole.norm))
            }
            None => (&self.norm, None),
        }
    }

    /// The rows of the embedding, those of new tokens behind those of the model.
    pub(super) fn embed(
        &self,
        trainable: &Trainable,
        sequences: &[Sequence],
    ) -> Result<Vec<f32>, LanguageError> {
        let (hidden, vocabulary) = (self.config.hidden_size, self.config.vocab_size);
        let values = trainable.values();
        let tokens = sequences.iter().flat_map(|sequence| &sequence.tokens);
        let mut x = vec![0.0; tokens.clone().count() * hidden];
        for (row, &token) in x.chunks_exact_mut(hidden).zip(tokens) {
            let token = token as usize;
            if token < vocabulary {
                match trainable.whole() {
                    Some(whole) => {
                        let at = whole.embedding + token * hidden;
                        row.copy_from_slice(&values[at..at + hidden]);
                    }
                    None => self.embedding.dequantise(token..token + 1, row),
                }
            } else if token - vocabulary < trainable.rows() {
                let at = trainable.row_slot() + (token - vocabulary) * hidden;
                row.copy_from_slice(&values[at..at + hidden]);
            } else {
                let count = vocabulary + trainable.rows();
                let message = format!("token {token} is none of the {count} of the model");
                return Err(LanguageError::Tokens(message));
            }
        }
        Ok(x)
    }

    fn embed_backward(
        &self,
        trainable: &Trainable,
        sequences: &[Sequence],
        gradient: &[f32],
        gradients: &mut [f32],
    ) {
        let (hidden, vocabulary) = (self.config.hidden_size, self.config.vocab_size);
        let tokens = sequences.iter().flat_map(|sequence| &sequence.tokens);
        for (g, &token) in gradient.chunks_exact(hidden).zip(tokens) {
            let token = token as usize;
            let at = match (token.checked_sub(vocabulary), trainable.whole()) {
                (Some(row), _) if trainable.trains_rows() => trainable.row_slot() + row * hidden,
                (None, Some(whole)) => whole.embedding + token * hidden,
                _ => continue,
            };
            let sum = &mut gradients[at..at + hidden];
            sum.iter_mut().zip(g).for_each(|(sum, g)| *sum += g);
        }
    }
}
