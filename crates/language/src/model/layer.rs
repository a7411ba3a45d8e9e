//! One layer: attention and a gated feed-forward block, each behind a norm and beside a short cut.

use super::{
    attention::Heads,
    linear::{Dropout, Linear, Scratch},
    llama::Llama,
    module::Module,
    sequence::Sequence,
    trainable::Trainable,
};
use crate::operations::{rms_norm, rms_norm_backward, swiglu, swiglu_backward};

/// What the backward pass of a layer needs.
#[derive(Debug, Default)]
pub(crate) struct LayerState {
    inverse_1: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    attended: Vec<f32>,
    /// After the attention block.
    between: Vec<f32>,
    inverse_2: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    /// Of each linear map, what its low-rank addition has in the middle.
    middles: [Vec<f32>; 7],
}

/// One layer of a model at work on some sequences, whose rows stand one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Layer<'a> {
    pub(crate) model: &'a Llama,
    pub(crate) trainable: &'a Trainable,
    pub(crate) index: usize,
    pub(crate) dropout: Dropout,
}

impl<'a> Layer<'a> {
    fn linear(&self, module: Module) -> Linear<'a> {
        Linear {
            weights: &self.model.layers[self.index].modules[module as usize],
            trainable: self.trainable,
            slot: self.trainable.slot(self.index, module),
            dropout: self.dropout,
            stream: (self.index * 7 + module as usize) as u64,
        }
    }

    /// Weights of a norm, and where their gradients go if they are trained.
    pub(super) fn norm(&self, second: bool) -> (&'a [f32], Option<usize>) {
        let hidden = self.model.config.hidden_size;
        match self.trainable.whole() {
            Some(whole) => {
                let at = whole.norms[self.index][usize::from(second)];
                (&self.trainable.values()[at..at + hidden], Some(at))
            }
            None => {
                let layer = &self.model.layers[self.index];
                let norm = if second {
                    &layer.post_norm
                } else {
                    &layer.input_norm
                };
                (norm, None)
            }
        }
    }

    /// The layer's output for the input `x`.
    pub(crate) fn forward(
        &self,
        sequences: &[Sequence],
        x: &[f32],
        state: &mut LayerState,
        scratch: &mut Scratch,
    ) -> Vec<f32> {
        let config = &self.model.config;
        let hidden = config.hidden_size;
        let rows = x.len() / hidden;
        let epsilon = config.rms_norm_eps as f32;
        let mut normed = vec![0.0; rows * hidden];
        state.inverse_1.resize(rows, 0.0);
        rms_norm(
            hidden,
            epsilon,
            self.norm(false).0,
            x,
            &mut normed,
            &mut state.inverse_1,
        );
        for (module, out, width) in [
            (Module::Query, &mut state.q, config.query_width()),
            (Module::Key, &mut state.k, config.key_width()),
            (Module::Value, &mut state.v, config.key_width()),
        ] {
            out.resize(rows * width, 0.0);
            let middle = &mut state.middles[module as usize];
            self.linear(module)
                .forward(rows, &normed, out, middle, scratch);
        }
        state.attended.resize(rows * config.query_width(), 0.0);
        self.attend(sequences, state);
        let mut output = vec![0.0; rows * hidden];
        let middle = &mut state.middles[Module::Output as usize];
        self.linear(Module::Output)
            .forward(rows, &state.attended, &mut output, middle, scratch);
        state.between.clear();
        state
            .between
            .extend(x.iter().zip(&output).map(|(x, y)| x + y));
        state.inverse_2.resize(rows, 0.0);
        let norm = self.norm(true).0;
        rms_norm(
            hidden,
            epsilon,
            norm,
            &state.between,
            &mut normed,
            &mut state.inverse_2,
        );
        for (module, out) in [(Module::Gate, &mut state.gate), (Module::Up, &mut state.up)] {
            out.resize(rows * config.intermediate_size, 0.0);
            let middle = &mut state.middles[module as usize];
            self.linear(module)
                .forward(rows, &normed, out, middle, scratch);
        }
        let mut gated = vec![0.0; state.gate.len()];
        swiglu(&state.gate, &state.up, &mut gated);
        let middle = &mut state.middles[Module::Down as usize];
        self.linear(Module::Down)
            .forward(rows, &gated, &mut output, middle, scratch);
        output
            .iter_mut()
            .zip(&state.between)
            .for_each(|(y, x)| *y += x);
        output
    }

    /// Turns queries and keys to their positions and lets each sequence attend.
    fn attend(&self, sequences: &[Sequence], state: &mut LayerState) {
        let config = &self.model.config;
        let (query, key) = (config.query_width(), config.key_width());
        let heads = Heads::new(config);
        let mut start = 0;
        for sequence in sequences {
            let end = start + sequence.len();
            let q = &mut state.q[start * query..end * query];
            let k = &mut state.k[start * key..end * key];
            let rotary = &self.model.rotary;
            rotary.turn(&sequence.positions, query, q, false);
            rotary.turn(&sequence.positions, key, k, false);
            let v = &state.v[start * key..end * key];
            let out = &mut state.attended[start * query..end * query];
            heads.forward(sequence, (q, k, v), out);
            start = end;
        }
    }

    /// Turns the gradient of the layer's output into that of its input `x`, and adds to the gradients
    /// of what is trained.
    pub(crate) fn backward(
        &self,
        sequences: &[Sequence],
        x: &[f32],
        state: &mut LayerState,
        gradient: &mut [f32],
        gradients: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let config = &self.model.config;
        let hidden = config.hidden_size;
        let rows = x.len() / hidden;
        // Feed-forward block: output = between + W_down (silu(gate) ∘ up).
        let mut gated = vec![0.0; state.gate.len()];
        swiglu(&state.gate, &state.up, &mut gated);
        let mut d_gated = vec![0.0; gated.len()];
        let seen = (&gated[..], &state.middles[Module::Down as usize][..]);
        self.linear(Module::Down)
            .backward(rows, seen, gradient, &mut d_gated, gradients, scratch);
        swiglu_backward(&mut state.gate, &mut state.up, &d_gated);
        let norm = self.norm(true);
        let normed = renormed(hidden, norm.0, &state.between, &state.inverse_2);
        let mut d_normed = vec![0.0; rows * hidden];
        for (module, g) in [(Module::Gate, &state.gate), (Module::Up, &state.up)] {
            let seen = (&normed[..], &state.middles[module as usize][..]);
            self.linear(module)
                .backward(rows, seen, g, &mut d_normed, gradients, scratch);
        }
        let seen = (norm.0, &state.between[..], &state.inverse_2[..]);
        let dw = norm.1.map(|at| &mut gradients[at..at + hidden]);
        rms_norm_backward(hidden, seen, &d_normed, gradient, dw);

        // Attention block: between = x + W_o attended.
        let mut d_attended = vec![0.0; state.attended.len()];
        let seen = (
            &state.attended[..],
            &state.middles[Module::Output as usize][..],
        );
        self.linear(Module::Output).backward(
            rows,
            seen,
            gradient,
            &mut d_attended,
            gradients,
            scratch,
        );
        let (dq, dk, dv) = self.attend_backward(sequences, state, &d_attended);
        let norm = self.norm(false);
        let normed = renormed(hidden, norm.0, x, &state.inverse_1);
        d_normed.fill(0.0);
        for (module, g) in [
            (Module::Query, &dq),
            (Module::Key, &dk),
            (Module::Value, &dv),
        ] {
            let seen = (&normed[..], &state.middles[module as usize][..]);
            self.linear(module)
                .backward(rows, seen, g, &mut d_normed, gradients, scratch);
        }
        let dw = norm.1.map(|at| &mut gradients[at..at + hidden]);
        rms_norm_backward(
            hidden,
            (norm.0, x, &state.inverse_1),
            &d_normed,
            gradient,
            dw,
        );
    }

    /// Gradients of queries, keys and values before they were turned.
    fn attend_backward(
        &self,
        sequences: &[Sequence],
        state: &LayerState,
        g: &[f32],
    ) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let config = &self.model.config;
        let (query, key) = (config.query_width(), config.key_width());
        let heads = Heads::new(config);
        let mut dq = vec![0.0; state.q.len()];
        let mut dk = vec![0.0; state.k.len()];
        let mut dv = vec![0.0; state.v.len()];
        let mut start = 0;
        for sequence in sequences {
            let end = start + sequence.len();
            let (of_query, of_key) = (start * query..end * query, start * key..end * key);
            let seen = (
                &state.q[of_query.clone()],
                &state.k[of_key.clone()],
                &state.v[of_key.clone()],
            );
            let dq = &mut dq[of_query.clone()];
            let dk = &mut dk[of_key.clone()];
            heads.backward(
                sequence,
                seen,
                &g[of_query],
                (&mut *dq, &mut *dk, &mut dv[of_key]),
            );
            self.model.rotary.turn(&sequence.positions, query, dq, true);
            self.model.rotary.turn(&sequence.positions, key, dk, true);
            start = end;
        }
        (dq, dk, dv)
    }
}

/// The output of a norm again, from its input and what was kept of it.
fn renormed(width: usize, w: &[f32], x: &[f32], inverse: &[f32]) -> Vec<f32> {
    let rows = x.chunks_exact(width).zip(inverse);
    rows.flat_map(|(x, r)| x.iter().zip(w).map(move |(x, w)| w * (x * r)))
        .collect()
}
