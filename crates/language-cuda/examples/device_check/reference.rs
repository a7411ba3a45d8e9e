//! Loss and gradients of a Llama with low-rank additions in f64, by plain loops, one sequence at a time.
#![allow(
    clippy::needless_range_loop,
    reason = "the formulas are written with their indices"
)]

use crystalgym_language_cuda::{LlamaShape, Module};

use crate::tiny::Tiny;

type Rows = Vec<Vec<f64>>;

/// A linear map with its addition `s B A`.
struct Map {
    weights: Rows,
    low_rank: Option<LowRank>,
}

struct LowRank {
    a: Rows,
    b: Rows,
    scale: f64,
    /// Where A and B are in the flat vector.
    at: (usize, usize),
}

struct Layer {
    norms: [Vec<f64>; 2],
    maps: Vec<Map>,
}

/// The model in f64.
pub(crate) struct Reference {
    shape: LlamaShape,
    embedding: Rows,
    head: Rows,
    norm: Vec<f64>,
    layers: Vec<Layer>,
    count: usize,
}

fn rows(values: &[f64], columns: usize) -> Rows {
    values.chunks_exact(columns).map(<[f64]>::to_vec).collect()
}

/// `x Wᵀ`.
fn apply(x: &Rows, weights: &Rows) -> Rows {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    x.iter()
        .map(|x| weights.iter().map(|w| dot(x, w)).collect())
        .collect()
}

/// `dx += s g W`.
fn apply_back(g: &Rows, weights: &Rows, scale: f64, dx: &mut Rows) {
    for (g, dx) in g.iter().zip(dx) {
        for (g, w) in g.iter().zip(weights) {
            dx.iter_mut()
                .zip(w)
                .for_each(|(dx, w)| *dx += scale * g * w);
        }
    }
}

/// `dW += s gᵀ x`, in a flat vector.
fn outer(g: &Rows, x: &Rows, scale: f64, gradient: &mut [f64]) {
    for (g, x) in g.iter().zip(x) {
        for (g, row) in g.iter().zip(gradient.chunks_exact_mut(x.len())) {
            row.iter_mut()
                .zip(x)
                .for_each(|(sum, x)| *sum += scale * g * x);
        }
    }
}

impl Map {
    fn forward(&self, x: &Rows) -> Rows {
        let mut y = apply(x, &self.weights);
        if let Some(low) = &self.low_rank {
            let more = apply(&apply(x, &low.a), &low.b);
            for (y, more) in y.iter_mut().zip(&more) {
                y.iter_mut()
                    .zip(more)
                    .for_each(|(y, more)| *y += low.scale * more);
            }
        }
        y
    }

    fn backward(&self, x: &Rows, g: &Rows, dx: &mut Rows, gradient: &mut [f64]) {
        apply_back(g, &self.weights, 1.0, dx);
        let Some(low) = &self.low_rank else {
            return;
        };
        let mut inner = vec![vec![0.0; low.a.len()]; x.len()];
        apply_back(g, &low.b, low.scale, &mut inner);
        apply_back(&inner, &low.a, 1.0, dx);
        outer(&inner, x, 1.0, &mut gradient[low.at.0..low.at.1]);
        let end = low.at.1 + low.b.len() * low.a.len();
        outer(
            g,
            &apply(x, &low.a),
            low.scale,
            &mut gradient[low.at.1..end],
        );
    }
}

fn root_mean_square(x: &[f64], epsilon: f64) -> f64 {
    (x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64 + epsilon).sqrt()
}

fn norm(x: &Rows, weight: &[f64], epsilon: f64) -> Rows {
    let one = |x: &Vec<f64>| {
        let size = root_mean_square(x, epsilon);
        x.iter()
            .zip(weight)
            .map(|(x, w)| x / size * w)
            .collect::<Vec<f64>>()
    };
    x.iter().map(one).collect()
}

fn norm_back(x: &Rows, weight: &[f64], epsilon: f64, g: &Rows, dx: &mut Rows) {
    for ((x, g), dx) in x.iter().zip(g).zip(dx) {
        let size = root_mean_square(x, epsilon);
        let dot: f64 = x
            .iter()
            .zip(weight)
            .zip(g)
            .map(|((x, w), g)| x * w * g)
            .sum();
        let share = dot / (x.len() as f64 * size.powi(3));
        for (((dx, x), w), g) in dx.iter_mut().zip(x).zip(weight).zip(g) {
            *dx += w * g / size - x * share;
        }
    }
}

fn add(to: &mut Rows, more: &Rows) {
    for (to, more) in to.iter_mut().zip(more) {
        to.iter_mut().zip(more).for_each(|(to, more)| *to += more);
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// What a layer computed on the way.
struct Kept {
    normed: Rows,
    /// Rotated queries and keys, and values.
    heads: [Rows; 3],
    /// By head, then row.
    probabilities: Vec<Rows>,
    seen: Rows,
    middle: Rows,
    normed_middle: Rows,
    gate: Rows,
    up: Rows,
    inner: Rows,
}

impl Reference {
    /// The model of `tiny` with these trained numbers.
    pub(crate) fn new(tiny: &Tiny, trained: &[f64]) -> Self {
        let (shape, lora) = (&tiny.shape, &tiny.lora);
        let wide = |values: &[f32]| values.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        let mut next = 0;
        let mut layers = Vec::new();
        for layer in &tiny.layers {
            let mut maps = Vec::new();
            for (module, bytes) in Module::ALL.into_iter().zip(&layer.modules) {
                let (outputs, inputs) = module.shape(shape);
                let low_rank = lora.target_modules.contains(&module).then(|| {
                    let at = (next, next + lora.rank * inputs);
                    next = at.1 + lora.rank * outputs;
                    LowRank {
                        a: rows(&trained[at.0..at.1], inputs),
                        b: rows(&trained[at.1..next], lora.rank),
                        scale: lora.alpha / lora.rank as f64,
                        at,
                    }
                });
                maps.push(Map {
                    weights: rows(&bytes.weights(), inputs),
                    low_rank,
                });
            }
            layers.push(Layer {
                norms: [wide(&layer.norms[0]), wide(&layer.norms[1])],
                maps,
            });
        }
        let embedding = rows(&tiny.embedding.weights(), shape.hidden_size);
        Self {
            head: match &tiny.head {
                Some(head) => rows(&head.weights(), shape.hidden_size),
                None => embedding.clone(),
            },
            embedding,
            norm: wide(&tiny.norm),
            layers,
            shape: shape.clone(),
            count: trained.len(),
        }
    }

    /// Sum of the losses of all completions, and `weight ·` its gradient.
    pub(crate) fn losses(&self, examples: &[(Vec<u32>, Vec<u32>)], weight: f64) -> (f64, Vec<f64>) {
        let (mut loss, mut gradient) = (0.0, vec![0.0; self.count]);
        for (prompt, completion) in examples {
            let mut tokens: Vec<usize> = prompt.iter().map(|&token| token as usize).collect();
            let first = tokens.len() - 1;
            tokens.extend(
                completion[..completion.len() - 1]
                    .iter()
                    .map(|&token| token as usize),
            );
            loss += self.sequence(&tokens, first, completion, weight, &mut gradient);
        }
        (loss, gradient)
    }

    fn sequence(
        &self,
        tokens: &[usize],
        first: usize,
        answers: &[u32],
        weight: f64,
        gradient: &mut [f64],
    ) -> f64 {
        let epsilon = self.shape.rms_norm_eps;
        let mut x: Rows = tokens
            .iter()
            .map(|&token| self.embedding[token].clone())
            .collect();
        let mut states = Vec::new();
        for layer in &self.layers {
            let kept = self.forward(layer, &x);
            let mut next = kept.middle.clone();
            add(
                &mut next,
                &layer.maps[Module::Down as usize].forward(&kept.inner),
            );
            states.push((std::mem::replace(&mut x, next), kept));
        }
        let logits = apply(&norm(&x, &self.norm, epsilon), &self.head);
        let mut slopes = vec![vec![0.0; self.head.len()]; x.len()];
        let mut loss = 0.0;
        for (place, &answer) in answers.iter().enumerate() {
            let (logits, slopes) = (&logits[first + place], &mut slopes[first + place]);
            let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
            loss += sum.ln() - logits[answer as usize];
            for (slope, logit) in slopes.iter_mut().zip(logits) {
                *slope = weight * logit.exp() / sum;
            }
            slopes[answer as usize] -= weight;
        }
        let zeros = || vec![vec![0.0; self.shape.hidden_size]; x.len()];
        let (mut d_normed, mut d) = (zeros(), zeros());
        apply_back(&slopes, &self.head, 1.0, &mut d_normed);
        norm_back(&x, &self.norm, epsilon, &d_normed, &mut d);
        for (layer, (x, kept)) in self.layers.iter().zip(&states).rev() {
            self.backward(layer, x, kept, &mut d, gradient);
        }
        loss
    }

    fn rotate(&self, rows: &mut Rows, sign: f64) {
        let (frequencies, half) = (self.shape.frequencies(), self.shape.head_dim / 2);
        for (place, row) in rows.iter_mut().enumerate() {
            for head in row.chunks_exact_mut(2 * half) {
                for pair in 0..half {
                    let (sin, cos) = (place as f64 * frequencies[pair]).sin_cos();
                    let (a, b, sin) = (head[pair], head[pair + half], sign * sin);
                    (head[pair], head[pair + half]) = (a * cos - b * sin, b * cos + a * sin);
                }
            }
        }
    }

    fn forward(&self, layer: &Layer, x: &Rows) -> Kept {
        let (shape, epsilon) = (&self.shape, self.shape.rms_norm_eps);
        let map = |module: Module, x: &Rows| layer.maps[module as usize].forward(x);
        let normed = norm(x, &layer.norms[0], epsilon);
        let mut queries = map(Module::Query, &normed);
        let mut keys = map(Module::Key, &normed);
        let values = map(Module::Value, &normed);
        self.rotate(&mut queries, 1.0);
        self.rotate(&mut keys, 1.0);
        let (d, shared) = (
            shape.head_dim,
            shape.num_attention_heads / shape.num_key_value_heads,
        );
        let mut seen = vec![vec![0.0; shape.query_width()]; x.len()];
        let mut probabilities = Vec::new();
        for head in 0..shape.num_attention_heads {
            let (of_query, of_key) = (
                head * d..(head + 1) * d,
                head / shared * d..(head / shared + 1) * d,
            );
            let mut all = Vec::new();
            for (place, query) in queries.iter().enumerate() {
                let query = &query[of_query.clone()];
                let score = |key: &Vec<f64>| {
                    let dot: f64 = query
                        .iter()
                        .zip(&key[of_key.clone()])
                        .map(|(q, k)| q * k)
                        .sum();
                    (dot / (d as f64).sqrt()).exp()
                };
                let scores: Vec<f64> = keys[..=place].iter().map(score).collect();
                let sum: f64 = scores.iter().sum();
                let shares: Vec<f64> = scores.iter().map(|score| score / sum).collect();
                for (share, value) in shares.iter().zip(&values) {
                    let to = &mut seen[place][of_query.clone()];
                    to.iter_mut()
                        .zip(&value[of_key.clone()])
                        .for_each(|(to, v)| *to += share * v);
                }
                all.push(shares);
            }
            probabilities.push(all);
        }
        let mut middle = map(Module::Output, &seen);
        add(&mut middle, x);
        let normed_middle = norm(&middle, &layer.norms[1], epsilon);
        let (gate, up) = (
            map(Module::Gate, &normed_middle),
            map(Module::Up, &normed_middle),
        );
        let gated = |(g, u): (&Vec<f64>, &Vec<f64>)| {
            g.iter().zip(u).map(|(g, u)| g * sigmoid(*g) * u).collect()
        };
        let inner = gate.iter().zip(&up).map(gated).collect();
        Kept {
            normed,
            heads: [queries, keys, values],
            probabilities,
            seen,
            middle,
            normed_middle,
            gate,
            up,
            inner,
        }
    }

    fn backward(&self, layer: &Layer, x: &Rows, kept: &Kept, d: &mut Rows, gradient: &mut [f64]) {
        let (shape, epsilon) = (&self.shape, self.shape.rms_norm_eps);
        let zeros = |like: &Rows| vec![vec![0.0; like[0].len()]; like.len()];
        let mut back = |module: Module, x: &Rows, g: &Rows, dx: &mut Rows| {
            layer.maps[module as usize].backward(x, g, dx, gradient);
        };
        let mut d_inner = zeros(&kept.inner);
        back(Module::Down, &kept.inner, d, &mut d_inner);
        let (mut d_gate, mut d_up) = (zeros(&kept.gate), zeros(&kept.up));
        for t in 0..x.len() {
            for c in 0..shape.intermediate_size {
                let (g, u, d) = (kept.gate[t][c], kept.up[t][c], d_inner[t][c]);
                let s = sigmoid(g);
                d_up[t][c] = d * g * s;
                d_gate[t][c] = d * u * (s + g * s * (1.0 - s));
            }
        }
        let mut d_normed = zeros(x);
        back(Module::Gate, &kept.normed_middle, &d_gate, &mut d_normed);
        back(Module::Up, &kept.normed_middle, &d_up, &mut d_normed);
        norm_back(&kept.middle, &layer.norms[1], epsilon, &d_normed, d);
        let mut d_seen = zeros(&kept.seen);
        back(Module::Output, &kept.seen, d, &mut d_seen);
        let [queries, keys, values] = &kept.heads;
        let (mut dq, mut dk, mut dv) = (zeros(queries), zeros(keys), zeros(values));
        let (width, shared) = (
            shape.head_dim,
            shape.num_attention_heads / shape.num_key_value_heads,
        );
        for (head, probabilities) in kept.probabilities.iter().enumerate() {
            let (q0, k0) = (head * width, head / shared * width);
            for (t, shares) in probabilities.iter().enumerate() {
                let mut slopes = vec![0.0; shares.len()];
                for (j, share) in shares.iter().enumerate() {
                    for c in 0..width {
                        slopes[j] += d_seen[t][q0 + c] * values[j][k0 + c];
                        dv[j][k0 + c] += share * d_seen[t][q0 + c];
                    }
                }
                let mean: f64 = shares.iter().zip(&slopes).map(|(p, slope)| p * slope).sum();
                for (j, share) in shares.iter().enumerate() {
                    let slope = share * (slopes[j] - mean) / (width as f64).sqrt();
                    for c in 0..width {
                        dq[t][q0 + c] += slope * keys[j][k0 + c];
                        dk[j][k0 + c] += slope * queries[t][q0 + c];
                    }
                }
            }
        }
        self.rotate(&mut dq, -1.0);
        self.rotate(&mut dk, -1.0);
        let mut d_normed = zeros(x);
        back(Module::Query, &kept.normed, &dq, &mut d_normed);
        back(Module::Key, &kept.normed, &dk, &mut d_normed);
        back(Module::Value, &kept.normed, &dv, &mut d_normed);
        norm_back(x, &layer.norms[0], epsilon, &d_normed, d);
    }
}
