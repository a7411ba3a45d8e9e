//! The memory that training steps work in, laid out once for the largest batch.

use crystalgym_language::{LlamaConfig, LoraConfig};

use crate::{
    CudaError, Device, Limits, Precision,
    memory::Memory,
    plan::{DOWN, OUTPUT, Plan},
    weights::Weights,
};

/// Rows of logits that are there at a time.
pub(crate) const LOGIT_ROWS: usize = 1024;

/// Everything but the frozen weights. T tokens, n sequences padded to S, a predicted tokens, h, f, V, L
/// as in [`LlamaConfig`], V with the new tokens; "elements" are held in the precision of the device.
pub(crate) struct Buffers<M> {
    /// Of each group W with A and B, elements.
    pub(crate) unpacked: [M; 4],
    /// V × h elements.
    pub(crate) head: M,
    /// Inputs of each group with room for `s x Aᵀ`, T × (inputs + pad) elements.
    pub(crate) inputs: [M; 4],
    /// Queries, keys and values, and later their gradient, with room for `s g B`.
    pub(crate) query_key_value: M,
    /// Gates and what they gate, and later their gradient, with room for `s g B`.
    pub(crate) gate_up: M,
    /// Gradient of the outputs of the two maps into the residual stream, with room for `s g B`.
    pub(crate) residual_gradient: M,
    /// T × h elements: what is added to the residual stream; gradients of normed rows.
    pub(crate) added: M,
    /// Gradients of the inputs of the two maps into the residual stream.
    pub(crate) inner_gradient: M,
    /// n × heads × S × d elements each; `outputs` holds the gradient of the outputs later.
    pub(crate) queries: M,
    pub(crate) outputs: M,
    pub(crate) query_gradient: M,
    /// n × key heads × S × d elements each.
    pub(crate) keys: M,
    pub(crate) values: M,
    pub(crate) key_gradient: M,
    pub(crate) value_gradient: M,
    /// n × heads × S × S; the scores are f32.
    pub(crate) probabilities: M,
    pub(crate) score_gradient: M,
    pub(crate) scores: M,
    /// L × T × h f32: the input of every layer.
    pub(crate) checkpoints: M,
    /// T × h f32: the residual stream between attention and feed-forward block.
    pub(crate) middle: M,
    /// T × h f32: gradient of the residual stream.
    pub(crate) gradient: M,
    /// 1/rms of each row of both norms, T f32.
    pub(crate) inverse: [M; 2],
    /// Gradients of A and B of a group, f32.
    pub(crate) group_a: M,
    pub(crate) group_b: M,
    /// Residual stream (f32), normed rows and their gradient at the predicted tokens, a × h.
    pub(crate) last: M,
    pub(crate) last_normed: M,
    pub(crate) last_gradient: M,
    pub(crate) last_inverse: M,
    /// Of each predicted token its loss, and behind them whether it is the most probable of the new ones.
    pub(crate) losses: M,
    /// [`LOGIT_ROWS`] × V, f32 and elements.
    pub(crate) logits: M,
    pub(crate) logit_gradient: M,
    /// cos and sin, S × d/2 f32 each.
    pub(crate) cosine: M,
    pub(crate) sine: M,
    /// The batch as it is on the device, i32.
    pub(crate) tokens: M,
    pub(crate) starts: M,
    pub(crate) rows: M,
    pub(crate) targets: M,
    /// Trained numbers and their gradient, f32.
    pub(crate) trained: M,
    pub(crate) trained_gradient: M,
}

/// Numbers from row to row of the logits.
pub(crate) fn logit_leading(config: &LlamaConfig, plan: &Plan) -> usize {
    (config.vocab_size + plan.rows.count).next_multiple_of(8)
}

/// Numbers from row to row of [`Buffers::residual_gradient`].
pub(crate) fn residual_leading(plan: &Plan) -> usize {
    plan.groups[OUTPUT]
        .output_leading()
        .max(plan.groups[DOWN].output_leading())
}

impl<M> Buffers<M> {
    /// Calls `make` with the count of numbers and the bytes of each.
    fn lay_out(
        config: &LlamaConfig,
        plan: &Plan,
        limits: &Limits,
        precision: Precision,
        make: &mut dyn FnMut(usize, usize) -> Result<M, CudaError>,
    ) -> Result<Self, CudaError> {
        let (t, answers, element) = (limits.tokens, limits.answers, precision.bytes());
        let padded = limits.longest.next_multiple_of(8);
        let (hidden, numbers) = (config.hidden_size, plan.numbers());
        let places = limits.sequences * padded;
        let (of_queries, of_keys) = (places * config.query_width(), places * config.key_width());
        let of_scores = places * config.num_attention_heads * padded;
        let logits = answers.min(LOGIT_ROWS) * logit_leading(config, plan);
        let largest =
            |of: fn(&crate::plan::Group) -> usize| plan.groups.iter().map(of).max().unwrap_or(0);
        let [qkv, output, gate_up, down] = &plan.groups;
        let mut each = |counts: [usize; 4]| {
            let [a, b, c, d] = counts;
            Ok::<_, CudaError>([
                make(a, element)?,
                make(b, element)?,
                make(c, element)?,
                make(d, element)?,
            ])
        };
        Ok(Self {
            unpacked: each(plan.groups.each_ref().map(|group| group.unpacked()))?,
            inputs: each(
                plan.groups
                    .each_ref()
                    .map(|group| t * group.input_leading()),
            )?,
            head: make((config.vocab_size + plan.rows.count) * hidden, element)?,
            query_key_value: make(t * qkv.output_leading(), element)?,
            gate_up: make(t * gate_up.output_leading(), element)?,
            residual_gradient: make(t * residual_leading(plan), element)?,
            added: make(t * hidden, element)?,
            inner_gradient: make(t * down.inputs.max(output.inputs), element)?,
            queries: make(of_queries, element)?,
            outputs: make(of_queries, element)?,
            query_gradient: make(of_queries, element)?,
            keys: make(of_keys, element)?,
            values: make(of_keys, element)?,
            key_gradient: make(of_keys, element)?,
            value_gradient: make(of_keys, element)?,
            probabilities: make(of_scores, element)?,
            score_gradient: make(of_scores, element)?,
            scores: make(of_scores, 4)?,
            checkpoints: make(plan.layers * t * hidden, 4)?,
            middle: make(t * hidden, 4)?,
            gradient: make(t * hidden, 4)?,
            inverse: [make(t, 4)?, make(t, 4)?],
            group_a: make(largest(|group| group.ranks * group.inputs), 4)?,
            group_b: make(largest(|group| group.ranks * group.outputs), 4)?,
            last: make(answers * hidden, 4)?,
            last_normed: make(answers * hidden, element)?,
            last_gradient: make(answers * hidden, element)?,
            last_inverse: make(answers, 4)?,
            losses: make(2 * answers, 4)?,
            logits: make(logits, 4)?,
            logit_gradient: make(logits, element)?,
            cosine: make(padded * config.head_dim / 2, 4)?,
            sine: make(padded * config.head_dim / 2, 4)?,
            tokens: make(t, 4)?,
            starts: make(limits.sequences + 1, 4)?,
            rows: make(answers, 4)?,
            targets: make(answers, 4)?,
            trained: make(numbers, 4)?,
            trained_gradient: make(numbers, 4)?,
        })
    }
}

impl Buffers<Memory> {
    /// # Errors
    /// [`CudaError::Memory`] if they take more than is free.
    pub(crate) fn new(
        device: &Device,
        config: &LlamaConfig,
        plan: &Plan,
        limits: &Limits,
    ) -> Result<Self, CudaError> {
        let precision = device.precision();
        let needed = count(config, plan, limits, precision)?;
        let (free, _) = device.memory()?;
        if needed > free {
            const GIB: f64 = (1_u64 << 30) as f64;
            return Err(CudaError::Memory {
                needed_gib: needed as f64 / GIB,
                free_gib: free as f64 / GIB,
            });
        }
        Self::lay_out(config, plan, limits, precision, &mut |count, element| {
            device.zeros(count, element)
        })
    }
}

fn count(
    config: &LlamaConfig,
    plan: &Plan,
    limits: &Limits,
    precision: Precision,
) -> Result<usize, CudaError> {
    let mut bytes = 0;
    Buffers::lay_out(config, plan, limits, precision, &mut |count, element| {
        bytes += count * element;
        Ok(())
    })?;
    Ok(bytes)
}

/// Bytes that training takes on the GPU with `rows` new tokens: the frozen weights in 8 bits, and everything
/// else.
///
/// # Errors
/// [`CudaError::Setting`] for a shape or settings that cannot be.
pub fn step_bytes(
    config: &LlamaConfig,
    lora: &LoraConfig,
    rows: usize,
    limits: &Limits,
    precision: Precision,
) -> Result<[usize; 2], CudaError> {
    let plan = Plan::new(config, lora, rows)?;
    Ok([
        Weights::bytes(config),
        count(config, &plan, limits, precision)?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 8192 tokens the checkpoints are 32 · 8192 · 4096 · 4 bytes; all stays below the goal of 40 GB.
    #[test]
    fn the_published_shape_fits_forty_gigabytes() {
        let limits = Limits {
            tokens: 8192,
            sequences: 64,
            longest: 128,
            answers: 8192,
        };
        let config = LlamaConfig::llama_3_8b();
        let lora = LoraConfig::default();
        let [weights, rest] = step_bytes(&config, &lora, 118, &limits, Precision::Bf16).unwrap();
        assert!(weights + rest < 40_000_000_000, "{weights} and {rest}");
        assert!(rest > 32 * 8192 * 4096 * 4 + 2 * 4 * 32 * 8 * 81_920);
        let twice = Limits {
            tokens: 16_384,
            ..limits
        };
        let [_, more] = step_bytes(&config, &lora, 118, &twice, Precision::Bf16).unwrap();
        assert!(more - rest > 32 * 8192 * 4096 * 4);
    }
}
