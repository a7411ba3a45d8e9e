//! Which linear maps share a product, and where their trained numbers are.
//!
//! Maps of the same input are one product: queries, keys and values; gate and up. Of a group with
//! weights W (o × i) and additions A (R × i), B (o × R), R the ranks of its maps together rounded up to
//! a multiple of 8, one buffer holds
//!
//! ```text
//!   ┌ W │ B ┐   o rows
//!   └ A │   ┘   R rows
//! ```
//!
//! so that `x Wᵀ + s (x Aᵀ) Bᵀ = [x │ s x Aᵀ] [W │ B]ᵀ` and, backwards,
//! `g W + s (g B) A = [g │ s g B] [W ; A]`: each a single product, whose inner dimension is R longer.
//! In B the ranks of a map meet its own outputs alone; the rest is zero.

use crystalgym_language::{LlamaConfig, LoraConfig, Module, TrainedPart};

use crate::{CudaError, shape};

/// Row starts are multiples of so many numbers.
const PAD: usize = 64;

/// Where the trained numbers of one map of one layer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// A (rank × inputs) within the numbers of a layer.
    pub(crate) a: usize,
    /// B (outputs × rank) within the numbers of a layer.
    pub(crate) b: usize,
    pub(crate) outputs: usize,
    /// First of its outputs in the group.
    pub(crate) first_output: usize,
    /// First of its ranks in the group.
    pub(crate) column: usize,
}

/// Linear maps of the same input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Outputs and inputs of all its maps, in order.
    pub(crate) modules: Vec<Module>,
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    /// R, a multiple of 8; 0 if nothing is trained.
    pub(crate) ranks: usize,
    pub(crate) slots: Vec<Slot>,
}

impl Group {
    /// Numbers from one row of the weights, or of the inputs, to the next.
    pub(crate) fn input_leading(&self) -> usize {
        self.inputs + self.ranks.next_multiple_of(PAD)
    }

    /// Numbers from one row of the outputs, or of their gradient, to the next.
    pub(crate) fn output_leading(&self) -> usize {
        self.outputs + self.ranks.next_multiple_of(PAD)
    }

    /// Numbers of the buffer that holds W, A and B.
    pub(crate) fn unpacked(&self) -> usize {
        (self.outputs + self.ranks) * self.input_leading()
    }
}

/// The groups of a layer, in the order in which they are used.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) groups: [Group; 4],
    /// Trained numbers of a layer.
    pub(crate) layer_numbers: usize,
    pub(crate) layers: usize,
    pub(crate) rank: usize,
    pub(crate) scale: f32,
    pub(crate) rows: NewRows,
}

/// Rows of new tokens, which lie behind the numbers of all layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewRows {
    pub(crate) count: usize,
    /// First number of those of the embedding, and of those of the head: the same if they are shared.
    pub(crate) embedding: usize,
    pub(crate) head: usize,
    pub(crate) trained: bool,
    /// All numbers of them.
    numbers: usize,
}

pub(crate) const QUERY_KEY_VALUE: usize = 0;
pub(crate) const OUTPUT: usize = 1;
pub(crate) const GATE_UP: usize = 2;
pub(crate) const DOWN: usize = 3;

impl Plan {
    /// The trained numbers lie layer by layer, map by map, A before B, as in a `Trainable`; the rows of
    /// `rows` new tokens are behind them.
    pub(crate) fn new(
        config: &LlamaConfig,
        lora: &LoraConfig,
        rows: usize,
    ) -> Result<Self, CudaError> {
        shape::check(config)?;
        let part = TrainedPart::Lora(lora.clone());
        part.check()
            .map_err(|error| CudaError::Input(error.to_string()))?;
        let mut next = 0;
        let mut group = |modules: &[Module]| {
            let inputs = modules[0].shape(config).1;
            let (mut first_output, mut column, mut slots) = (0, 0, Vec::new());
            for &module in modules {
                let (outputs, _) = module.shape(config);
                if lora.target_modules.contains(&module) {
                    let (a, b) = (next, next + lora.rank * inputs);
                    next = b + lora.rank * outputs;
                    slots.push(Slot {
                        a,
                        b,
                        outputs,
                        first_output,
                        column,
                    });
                    column += lora.rank;
                }
                first_output += outputs;
            }
            Group {
                modules: modules.to_vec(),
                outputs: first_output,
                inputs,
                ranks: column.next_multiple_of(8),
                slots,
            }
        };
        let groups = [
            group(&[Module::Query, Module::Key, Module::Value]),
            group(&[Module::Output]),
            group(&[Module::Gate, Module::Up]),
            group(&[Module::Down]),
        ];
        let of_rows = rows * config.hidden_size;
        let embedding = config.num_hidden_layers * next;
        let (head, numbers) = match config.tie_word_embeddings {
            true => (embedding, of_rows),
            false => (embedding + of_rows, 2 * of_rows),
        };
        Ok(Self {
            groups,
            layer_numbers: next,
            layers: config.num_hidden_layers,
            rank: lora.rank,
            scale: lora.scale(),
            rows: NewRows {
                count: rows,
                embedding,
                head,
                trained: lora.train_rows && rows > 0,
                numbers,
            },
        })
    }

    /// All trained numbers.
    pub(crate) fn numbers(&self) -> usize {
        self.layers * self.layer_numbers + self.rows.numbers
    }
}

#[cfg(test)]
mod tests {
    use crystalgym_language::{Llama, TokenRows, Trainable};

    use super::*;

    #[test]
    fn numbers_lie_in_the_order_of_the_maps() {
        let plan = Plan::new(&LlamaConfig::llama_3_8b(), &LoraConfig::default(), 118).unwrap();
        // Oracle: r (i + o) summed over the maps by hand, 8 · 81920 in each layer.
        assert_eq!(plan.numbers(), 32 * 8 * 81_920 + 2 * 118 * 4096);
        assert_eq!(plan.rows.head, plan.rows.embedding + 118 * 4096);
        let [qkv, output, gate_up, down] = &plan.groups;
        assert_eq!((qkv.outputs, qkv.inputs, qkv.ranks), (6144, 4096, 24));
        assert_eq!(
            (gate_up.outputs, gate_up.ranks, down.inputs),
            (28_672, 16, 14_336)
        );
        assert_eq!(qkv.slots[1].first_output, 4096);
        assert_eq!(qkv.slots[1].a, 8 * (4096 + 4096));
        assert_eq!(output.slots[0].a, 8 * (3 * 4096 + 6144));
        assert_eq!(qkv.input_leading(), 4160);
    }

    #[test]
    fn maps_without_additions_have_no_ranks() {
        let lora = LoraConfig {
            rank: 3,
            target_modules: vec![Module::Value, Module::Down],
            ..LoraConfig::default()
        };
        let plan = Plan::new(&LlamaConfig::llama_3_8b(), &lora, 0).unwrap();
        assert_eq!(
            plan.groups.each_ref().map(|group| group.ranks),
            [8, 0, 0, 8]
        );
        assert_eq!(plan.groups[0].slots[0].first_output, 5120);
        assert_eq!(plan.groups[1].input_leading(), 4096);
    }

    /// Oracle: the names and places that the CPU crate gives its own.
    #[test]
    fn numbers_lie_as_in_what_the_cpu_trains() {
        for tied in [true, false] {
            let config = LlamaConfig {
                hidden_size: 32,
                intermediate_size: 48,
                num_hidden_layers: 2,
                num_attention_heads: 4,
                num_key_value_heads: 2,
                head_dim: 8,
                vocab_size: 20,
                tie_word_embeddings: tied,
                ..LlamaConfig::llama_3_8b()
            };
            let lora = LoraConfig {
                rank: 3,
                target_modules: vec![Module::Key, Module::Output, Module::Gate, Module::Up],
                ..LoraConfig::default()
            };
            let model = Llama::random(config.clone(), 1).unwrap();
            let rows = TokenRows::mean_of_pieces(&model, &vec![vec![1]; 5]).unwrap();
            let part = TrainedPart::Lora(lora.clone());
            let trainable = Trainable::new(&model, part, &rows, 1).unwrap();
            let plan = Plan::new(&config, &lora, 5).unwrap();
            assert_eq!(plan.numbers(), trainable.values().len());
            assert_eq!(plan.rows.embedding, trainable.row_slot());
            assert_eq!(plan.rows.head, trainable.head_row_slot());
            let at = |name: &str| {
                let found = trainable.tensors().iter().find(|info| info.name == name);
                found.map(|info| info.offset).unwrap()
            };
            let first = plan.layer_numbers;
            let of_up = plan.groups[GATE_UP].slots[1];
            let name = |factor| format!("model.layers.1.mlp.up_proj.lora_{factor}.weight");
            assert_eq!(first + of_up.a, at(&name("A")));
            assert_eq!(first + of_up.b, at(&name("B")));
            let of_key = plan.groups[QUERY_KEY_VALUE].slots[0];
            assert_eq!(
                of_key.b,
                at("model.layers.0.self_attn.k_proj.lora_B.weight")
            );
        }
    }
}
