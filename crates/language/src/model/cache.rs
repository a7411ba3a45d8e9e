//! Generation with kept keys and values: a prompt is read once, its completions go on from there.

use super::{
    attention::Heads,
    linear::{Dropout, Linear},
    llama::Llama,
    module::Module,
    sequence::Sequence,
    trainable::Trainable,
};
use crate::{
    LanguageError,
    operations::{dot, rms_norm, softmax, swiglu},
};

/// Keys and values of some tokens in every layer.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    tokens: usize,
    /// By layer, row by row.
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
}

impl Cache {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.tokens
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tokens == 0
    }

    fn grow(&mut self, layers: usize) {
        self.keys.resize(layers, Vec::new());
        self.values.resize(layers, Vec::new());
    }
}

/// Tokens that go on from what was read before.
pub struct Continuation<'a> {
    /// What all completions of a prompt share.
    pub prefix: &'a Cache,
    /// What this one has of its own; the tokens are added to it.
    pub own: &'a mut Cache,
    /// New tokens, one at least.
    pub tokens: &'a [u32],
}

impl Llama {
    /// Reads the tokens of each continuation and returns the hidden state, after the last norm, of the
    /// last token of each.
    ///
    /// # Errors
    /// [`LanguageError::Tokens`] for a token that the model does not have, or none.
    pub fn read_on(
        &self,
        trainable: &Trainable,
        continuations: &mut [Continuation<'_>],
    ) -> Result<Vec<f32>, LanguageError> {
        let config = &self.config;
        let hidden = config.hidden_size;
        let sequences: Vec<Sequence> = continuations
            .iter()
            .map(|one| {
                let before = one.prefix.tokens + one.own.tokens;
                let mut sequence = Sequence::plain(one.tokens.to_vec());
                sequence
                    .positions
                    .iter_mut()
                    .for_each(|at| *at += before as u32);
                sequence
            })
            .collect();
        if sequences.iter().any(Sequence::is_empty) {
            return Err(LanguageError::Tokens("there is nothing to read".to_owned()));
        }
        let positions: Vec<u32> = sequences.iter().flat_map(|s| s.positions.clone()).collect();
        let rows = positions.len();
        let epsilon = config.rms_norm_eps as f32;
        let mut x = self.embed(trainable, &sequences)?;
        let mut normed = vec![0.0; rows * hidden];
        let mut inverse = vec![0.0; rows];
        let (query, key) = (config.query_width(), config.key_width());
        let mut q = vec![0.0; rows * query];
        let mut k = vec![0.0; rows * key];
        let mut v = vec![0.0; rows * key];
        let mut attended = vec![0.0; rows * query];
        let mut gate = vec![0.0; rows * config.intermediate_size];
        let mut up = gate.clone();
        let mut gated = gate.clone();
        let mut output = vec![0.0; rows * hidden];
        for one in continuations.iter_mut() {
            one.own.grow(self.layers.len());
        }
        for index in 0..self.layers.len() {
            let apply = |module: Module, x: &[f32], y: &mut [f32]| {
                let linear = Linear {
                    weights: &self.layers[index].modules[module as usize],
                    trainable,
                    slot: trainable.slot(index, module),
                    dropout: Dropout::NONE,
                    stream: 0,
                };
                linear.forward_parallel(rows, x, y);
            };
            let norms = self.layer_norms(trainable, index);
            rms_norm(hidden, epsilon, norms.0, &x, &mut normed, &mut inverse);
            apply(Module::Query, &normed, &mut q);
            apply(Module::Key, &normed, &mut k);
            apply(Module::Value, &normed, &mut v);
            self.rotary.turn(&positions, query, &mut q, false);
            self.rotary.turn(&positions, key, &mut k, false);
            self.attend_cached(
                index,
                continuations,
                &sequences,
                (&q, &k, &v),
                &mut attended,
            );
            apply(Module::Output, &attended, &mut output);
            x.iter_mut().zip(&output).for_each(|(x, y)| *x += y);
            rms_norm(hidden, epsilon, norms.1, &x, &mut normed, &mut inverse);
            apply(Module::Gate, &normed, &mut gate);
            apply(Module::Up, &normed, &mut up);
            swiglu(&gate, &up, &mut gated);
            apply(Module::Down, &gated, &mut output);
            x.iter_mut().zip(&output).for_each(|(x, y)| *x += y);
        }
        let mut last = Vec::with_capacity(continuations.len() * hidden);
        let mut end = 0;
        for one in continuations.iter_mut() {
            one.own.tokens += one.tokens.len();
            end += one.tokens.len();
            last.extend_from_slice(&x[(end - 1) * hidden..end * hidden]);
        }
        let mut out = vec![0.0; last.len()];
        inverse.resize(continuations.len(), 0.0);
        rms_norm(
            hidden,
            epsilon,
            self.last_norm(trainable).0,
            &last,
            &mut out,
            &mut inverse,
        );
        Ok(out)
    }

    fn attend_cached(
        &self,
        layer: usize,
        continuations: &mut [Continuation<'_>],
        sequences: &[Sequence],
        (q, k, v): (&[f32], &[f32], &[f32]),
        out: &mut [f32],
    ) {
        let config = &self.config;
        let (query, key) = (config.query_width(), config.key_width());
        let mut start = 0;
        for (one, sequence) in continuations.iter_mut().zip(sequences) {
            let end = start + sequence.len();
            let (k, v) = (&k[start * key..end * key], &v[start * key..end * key]);
            let q = &q[start * query..end * query];
            let out = &mut out[start * query..end * query];
            one.own.keys[layer].extend_from_slice(k);
            one.own.values[layer].extend_from_slice(v);
            if one.prefix.is_empty() && one.own.is_empty() {
                Heads::new(config).forward(sequence, (q, k, v), out);
            } else {
                let rows = q.chunks_exact(query).zip(out.chunks_exact_mut(query));
                for (row, (q, out)) in rows.enumerate() {
                    let seen = one.own.tokens + row + 1;
                    let own = (
                        &one.own.keys[layer][..seen * key],
                        &one.own.values[layer][..seen * key],
                    );
                    let shared = match one.prefix.is_empty() {
                        true => (&[][..], &[][..]),
                        false => (&one.prefix.keys[layer][..], &one.prefix.values[layer][..]),
                    };
                    self.attend_one(q, shared, own, out);
                }
            }
            start = end;
        }
    }

    /// Attention of one token over what is shared and what is its own.
    fn attend_one(
        &self,
        q: &[f32],
        shared: (&[f32], &[f32]),
        own: (&[f32], &[f32]),
        out: &mut [f32],
    ) {
        let config = &self.config;
        let (width, key) = (config.head_dim, config.key_width());
        let group = config.num_attention_heads / config.num_key_value_heads;
        let scale = 1.0 / (width as f32).sqrt();
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                let mut weights = Vec::new();
                let heads = q.chunks_exact(width).zip(out.chunks_exact_mut(width));
                for (head, (q, out)) in heads.enumerate() {
                    let at = head / group * width;
                    let keys = shared.0.chunks_exact(key).chain(own.0.chunks_exact(key));
                    weights.clear();
                    weights.extend(keys.map(|k| scale * dot(q, &k[at..at + width])));
                    softmax(&mut weights);
                    out.fill(0.0);
                    let values = shared.1.chunks_exact(key).chain(own.1.chunks_exact(key));
                    for (weight, v) in weights.iter().zip(values) {
                        for (out, v) in out.iter_mut().zip(&v[at..at + width]) {
                            *out += weight * v;
                        }
                    }
                }
            },
        );
    }
}
