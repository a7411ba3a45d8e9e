//! What is trained: low-rank additions to the linear maps, the rows of new tokens, or everything.

use serde::{Deserialize, Serialize};

use super::{llama::Llama, module::Module};
use crate::{LanguageError, random};

/// Settings of the low-rank additions (Hu et al. 2021).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoraConfig {
    /// Rank r.
    pub rank: usize,
    /// α; the addition is `α/r · B A x`.
    pub alpha: f64,
    /// Share of the inputs that the addition does not see while it is trained.
    pub dropout: f64,
    /// Which linear maps have one.
    pub target_modules: Vec<Module>,
    /// Whether the rows of the element tokens are trained; otherwise they stay what their symbols'
    /// pieces were.
    pub train_rows: bool,
}

impl LoraConfig {
    /// α/r.
    pub fn scale(&self) -> f32 {
        (self.alpha / self.rank as f64) as f32
    }
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 32.0,
            dropout: 0.05,
            target_modules: Module::ALL.to_vec(),
            train_rows: true,
        }
    }
}

/// What of a model is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainedPart {
    /// Low-rank additions.
    Lora(LoraConfig),
    /// Every weight.
    Whole,
}

impl TrainedPart {
    /// # Errors
    /// [`LanguageError::Setting`] names the first that cannot be.
    pub fn check(&self) -> Result<(), LanguageError> {
        let Self::Lora(lora) = self else {
            return Ok(());
        };
        let bad = |field, found: String, expected: &str| {
            Err(LanguageError::Setting {
                field,
                found,
                expected: expected.to_owned(),
            })
        };
        if !(1..=1024).contains(&lora.rank) {
            return bad("lora.rank", lora.rank.to_string(), "1 to 1024");
        }
        if !(lora.alpha > 0.0 && lora.alpha <= 1e6) {
            return bad("lora.alpha", lora.alpha.to_string(), "a number above 0");
        }
        if !(0.0..0.95).contains(&lora.dropout) {
            return bad("lora.dropout", lora.dropout.to_string(), "0 to 0.95");
        }
        let mut modules = lora.target_modules.clone();
        modules.sort();
        modules.dedup();
        if modules.is_empty() || modules.len() != lora.target_modules.len() {
            let expected = "each of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj at \
                            most once, and one at least";
            return bad(
                "lora.target_modules",
                format!("{:?}", lora.target_modules),
                expected,
            );
        }
        Ok(())
    }
}

/// Where the trained numbers of a linear map are in the flat vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Nothing is trained.
    Frozen,
    /// A (rank × inputs) and B (outputs × rank).
    LowRank { a: usize, b: usize },
    /// The whole matrix.
    Whole(usize),
}

/// A named tensor of the flat vector.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorInfo {
    /// Name below the model, such as `model.layers.0.self_attn.q_proj.lora_A.weight`.
    pub name: String,
    /// Shape as PyTorch stores it.
    pub shape: Vec<usize>,
    /// Start in the flat vector.
    pub offset: usize,
}

impl TensorInfo {
    /// Number of values.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Places of the weights that only whole training has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WholeSlots {
    pub(crate) embedding: usize,
    pub(crate) head: Option<usize>,
    pub(crate) norm: usize,
    /// Norms of each layer: before attention, before the feed-forward block.
    pub(crate) norms: Vec<[usize; 2]>,
}

/// The trained numbers of a model, in one flat vector with named views.
#[derive(Debug, Clone, PartialEq)]
pub struct Trainable {
    part: TrainedPart,
    tensors: Vec<TensorInfo>,
    values: Vec<f32>,
    slots: Vec<[Slot; 7]>,
    whole: Option<WholeSlots>,
    /// Rows of new tokens: of the embedding, and of a head of its own.
    rows: usize,
    row_slot: usize,
    head_row_slot: Option<usize>,
}

impl Trainable {
    /// Additions that change nothing yet: A uniform within `±1/√inputs`, B zero, as `peft` has them; or
    /// all weights as they are. `rows` are the first rows of the new tokens, of the embedding and of the
    /// head.
    ///
    /// # Errors
    /// [`LanguageError::Setting`] for settings that cannot be, or rows of another width.
    pub fn new(
        model: &Llama,
        part: TrainedPart,
        rows: &TokenRows,
        seed: u64,
    ) -> Result<Self, LanguageError> {
        part.check()?;
        rows.check(model)?;
        let config = model.config();
        let mut made = Self {
            tensors: Vec::new(),
            values: Vec::new(),
            slots: Vec::new(),
            whole: None,
            rows: rows.input.len() / config.hidden_size,
            row_slot: 0,
            head_row_slot: None,
            part: part.clone(),
        };
        match &part {
            TrainedPart::Lora(lora) => made.add_low_rank(model, lora, seed),
            TrainedPart::Whole => made.add_whole(model),
        }
        let shape = [made.rows, config.hidden_size];
        made.row_slot = made.add("model.embed_tokens.new_rows", &shape, &rows.input);
        if model.head.is_some() {
            made.head_row_slot = Some(made.add("lm_head.new_rows", &shape, &rows.output));
        }
        Ok(made)
    }

    fn add_low_rank(&mut self, model: &Llama, lora: &LoraConfig, seed: u64) {
        for layer in 0..model.layers.len() {
            let slots = Module::ALL.map(|module| {
                if !lora.target_modules.contains(&module) {
                    return Slot::Frozen;
                }
                let (outputs, inputs) = module.shape(model.config());
                let name = format!("model.layers.{layer}.{}", module.path());
                let key = random::key(seed, self.tensors.len() as u64);
                let bound = 1.0 / (inputs as f64).sqrt();
                let a: Vec<f32> = (0..lora.rank * inputs)
                    .map(|index| ((2.0 * random::unit(key, index as u64) - 1.0) * bound) as f32)
                    .collect();
                let b = vec![0.0; outputs * lora.rank];
                Slot::LowRank {
                    a: self.add(&format!("{name}.lora_A.weight"), &[lora.rank, inputs], &a),
                    b: self.add(&format!("{name}.lora_B.weight"), &[outputs, lora.rank], &b),
                }
            });
            self.slots.push(slots);
        }
    }

    fn add_whole(&mut self, model: &Llama) {
        let config = model.config();
        let (vocabulary, hidden) = (config.vocab_size, config.hidden_size);
        let shape = [vocabulary, hidden];
        let embedding = self.add(
            "model.embed_tokens.weight",
            &shape,
            &model.embedding.to_values(),
        );
        let head = model
            .head
            .as_ref()
            .map(|head| self.add("lm_head.weight", &shape, &head.to_values()));
        let norm = self.add("model.norm.weight", &[hidden], &model.norm);
        let mut norms = Vec::new();
        for (index, layer) in model.layers.iter().enumerate() {
            let prefix = format!("model.layers.{index}");
            let mut slots = [Slot::Frozen; 7];
            for ((slot, module), weights) in slots.iter_mut().zip(Module::ALL).zip(&layer.modules) {
                let name = format!("{prefix}.{}.weight", module.path());
                let shape = [weights.rows(), weights.columns()];
                *slot = Slot::Whole(self.add(&name, &shape, &weights.to_values()));
            }
            self.slots.push(slots);
            norms.push([
                self.add(
                    &format!("{prefix}.input_layernorm.weight"),
                    &[hidden],
                    &layer.input_norm,
                ),
                self.add(
                    &format!("{prefix}.post_attention_layernorm.weight"),
                    &[hidden],
                    &layer.post_norm,
                ),
            ]);
        }
        self.whole = Some(WholeSlots {
            embedding,
            head,
            norm,
            norms,
        });
    }

    fn add(&mut self, name: &str, shape: &[usize], values: &[f32]) -> usize {
        let offset = self.values.len();
        self.tensors.push(TensorInfo {
            name: name.to_owned(),
            shape: shape.to_vec(),
            offset,
        });
        self.values.extend_from_slice(values);
        offset
    }

    /// What is trained.
    pub fn part(&self) -> &TrainedPart {
        &self.part
    }

    /// All tensors in the order of the flat vector.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// The flat vector.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The flat vector, to change.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// The values of a tensor.
    pub fn tensor(&self, name: &str) -> Option<&[f32]> {
        let info = self.tensors.iter().find(|info| info.name == name)?;
        Some(&self.values[info.offset..info.offset + info.count()])
    }

    /// Number of new tokens.
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn slot(&self, layer: usize, module: Module) -> Slot {
        self.slots[layer][module as usize]
    }

    pub(crate) fn whole(&self) -> Option<&WholeSlots> {
        self.whole.as_ref()
    }

    /// Where the rows of the new tokens start in the flat vector.
    pub fn row_slot(&self) -> usize {
        self.row_slot
    }

    /// Where the rows of the head are: those of the embedding where they are shared.
    pub fn head_row_slot(&self) -> usize {
        self.head_row_slot.unwrap_or(self.row_slot)
    }

    /// Whether the rows of the new tokens are trained.
    pub fn trains_rows(&self) -> bool {
        match &self.part {
            TrainedPart::Lora(lora) => lora.train_rows,
            TrainedPart::Whole => true,
        }
    }

    pub(crate) fn rank(&self) -> usize {
        match &self.part {
            TrainedPart::Lora(lora) => lora.rank,
            TrainedPart::Whole => 0,
        }
    }

    pub(crate) fn scale(&self) -> f32 {
        match &self.part {
            TrainedPart::Lora(lora) => lora.scale(),
            TrainedPart::Whole => 0.0,
        }
    }

    /// The share of inputs that the additions do not see in training.
    pub fn dropout(&self) -> f32 {
        match &self.part {
            TrainedPart::Lora(lora) => lora.dropout as f32,
            TrainedPart::Whole => 0.0,
        }
    }
}

/// First rows of new tokens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenRows {
    /// Rows of the embedding.
    pub input: Vec<f32>,
    /// Rows of the head, if it is not the embedding.
    pub output: Vec<f32>,
}

impl TokenRows {
    /// The mean of the rows of the pieces of each new token.
    ///
    /// # Errors
    /// [`LanguageError::Tokens`] for a piece that the model does not have.
    pub fn mean_of_pieces(model: &Llama, pieces: &[Vec<u32>]) -> Result<Self, LanguageError> {
        let (hidden, vocabulary) = (model.config().hidden_size, model.config().vocab_size);
        let mut row = vec![0.0; hidden];
        let mut rows = Self::default();
        for matrix in std::iter::once(&model.embedding).chain(&model.head) {
            let mut values = Vec::with_capacity(pieces.len() * hidden);
            for pieces in pieces {
                let mut mean = vec![0.0; hidden];
                for &piece in pieces {
                    if piece as usize >= vocabulary {
                        let message =
                            format!("token {piece} is none of the {vocabulary} of the model");
                        return Err(LanguageError::Tokens(message));
                    }
                    matrix.dequantise(piece as usize..piece as usize + 1, &mut row);
                    for (mean, x) in mean.iter_mut().zip(&row) {
                        *mean += x / pieces.len() as f32;
                    }
                }
                values.extend(mean);
            }
            match rows.input.is_empty() {
                true => rows.input = values,
                false => rows.output = values,
            }
        }
        Ok(rows)
    }

    fn check(&self, model: &Llama) -> Result<(), LanguageError> {
        let hidden = model.config().hidden_size;
        let outputs = if model.head.is_some() {
            self.input.len()
        } else {
            0
        };
        if self.input.len().is_multiple_of(hidden) && self.output.len() == outputs {
            return Ok(());
        }
        let message = format!("new rows are not {hidden} numbers wide");
        Err(LanguageError::Tokens(message))
    }
}
