//! Small random models, and numbers from a counter.

use crystalgym_language_cuda::{
    LayerRows, LlamaShape, LoraSettings, ModelRows, Module, RopeScaling, Row8,
};

/// Uniform numbers of −1 to 1 (the finaliser of SplitMix64).
pub(crate) struct Numbers(pub u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) as f64 / u64::MAX as f64 * 2.0 - 1.0
    }

    pub(crate) fn below(&mut self, count: usize) -> usize {
        (((self.next() + 1.0) / 2.0 * count as f64) as usize).min(count - 1)
    }
}

/// A matrix in 8 bits.
pub(crate) struct Bytes {
    pub(crate) values: Vec<i8>,
    pub(crate) scales: Vec<f32>,
}

impl Bytes {
    fn random(rows: usize, columns: usize, size: f64, numbers: &mut Numbers) -> Self {
        Self {
            values: (0..rows * columns)
                .map(|_| (127.0 * numbers.next()).round() as i8)
                .collect(),
            scales: (0..rows)
                .map(|_| (size * (1.0 + 0.3 * numbers.next()) / 127.0) as f32)
                .collect(),
        }
    }

    fn view(&self) -> Row8<'_> {
        Row8 {
            values: &self.values,
            scales: &self.scales,
        }
    }

    /// What it stands for.
    pub(crate) fn weights(&self) -> Vec<f64> {
        let columns = self.values.len() / self.scales.len();
        let scaled = |(index, &value): (usize, &i8)| {
            f64::from(value) * f64::from(self.scales[index / columns])
        };
        self.values.iter().enumerate().map(scaled).collect()
    }
}

/// One layer: both norms, and the maps in the order of [`Module::ALL`].
pub(crate) struct TinyLayer {
    pub(crate) norms: [Vec<f32>; 2],
    pub(crate) modules: Vec<Bytes>,
}

/// A model with what is trained of it, and examples for it.
pub(crate) struct Tiny {
    pub(crate) shape: LlamaShape,
    pub(crate) lora: LoraSettings,
    pub(crate) embedding: Bytes,
    pub(crate) head: Option<Bytes>,
    pub(crate) norm: Vec<f32>,
    pub(crate) layers: Vec<TinyLayer>,
    pub(crate) trained: Vec<f32>,
    pub(crate) examples: Vec<(Vec<u32>, Vec<u32>)>,
}

impl Tiny {
    /// Grouped queries, a head of its own, stretched rotations, additions everywhere.
    pub(crate) fn grouped() -> Self {
        let shape = LlamaShape {
            hidden_size: 64,
            intermediate_size: 112,
            num_hidden_layers: 3,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            head_dim: 16,
            vocab_size: 91,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            rope_scaling: Some(RopeScaling {
                factor: 8.0,
                low_freq_factor: 1.0,
                high_freq_factor: 4.0,
                original_max_position_embeddings: 64.0,
            }),
            tie_word_embeddings: false,
        };
        let lora = LoraSettings {
            rank: 4,
            alpha: 8.0,
            target_modules: Module::ALL.to_vec(),
        };
        Self::new(shape, lora, 1)
    }

    /// The head is the embedding, every head has its own keys, and only some maps have additions, of a
    /// rank that is no multiple of 8.
    pub(crate) fn tied() -> Self {
        let shape = LlamaShape {
            hidden_size: 48,
            intermediate_size: 80,
            num_hidden_layers: 2,
            num_attention_heads: 3,
            num_key_value_heads: 3,
            head_dim: 16,
            vocab_size: 64,
            rms_norm_eps: 1e-6,
            rope_theta: 500.0,
            rope_scaling: None,
            tie_word_embeddings: true,
        };
        let lora = LoraSettings {
            rank: 3,
            alpha: 6.0,
            target_modules: vec![Module::Value, Module::Output, Module::Up],
        };
        Self::new(shape, lora, 2)
    }

    fn new(shape: LlamaShape, lora: LoraSettings, seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let hidden = shape.hidden_size;
        let norm = |numbers: &mut Numbers| {
            (0..hidden)
                .map(|_| (1.0 + 0.3 * numbers.next()) as f32)
                .collect::<Vec<f32>>()
        };
        let mut layers = Vec::new();
        let mut trained = Vec::new();
        for _ in 0..shape.num_hidden_layers {
            let mut modules = Vec::new();
            for module in Module::ALL {
                let (outputs, inputs) = module.shape(&shape);
                let size = 1.7 / (inputs as f64).sqrt();
                modules.push(Bytes::random(outputs, inputs, size, &mut numbers));
                if lora.target_modules.contains(&module) {
                    let count = lora.rank * (outputs + inputs);
                    trained.extend((0..count).map(|_| (0.2 * numbers.next()) as f32));
                }
            }
            layers.push(TinyLayer {
                norms: [norm(&mut numbers), norm(&mut numbers)],
                modules,
            });
        }
        let lengths = [(5, 3), (1, 1), (17, 6), (9, 2), (30, 9), (2, 4)];
        let mut tokens = |count| {
            (0..count)
                .map(|_| numbers.below(shape.vocab_size) as u32)
                .collect::<Vec<u32>>()
        };
        let examples = lengths.map(|(prompt, completion)| (tokens(prompt), tokens(completion)));
        let head = (!shape.tie_word_embeddings)
            .then(|| Bytes::random(shape.vocab_size, hidden, 0.2, &mut numbers));
        Self {
            embedding: Bytes::random(shape.vocab_size, hidden, 1.0, &mut numbers),
            head,
            norm: norm(&mut numbers),
            layers,
            trained,
            examples: examples.to_vec(),
            shape,
            lora,
        }
    }

    /// Tokens that are predicted.
    pub(crate) fn answers(&self) -> usize {
        self.examples
            .iter()
            .map(|(_, completion)| completion.len())
            .sum()
    }

    /// The frozen weights as the GPU takes them.
    pub(crate) fn rows(&self) -> Option<ModelRows<'_>> {
        let mut layers = Vec::new();
        for layer in &self.layers {
            let modules: Vec<Row8<'_>> = layer.modules.iter().map(Bytes::view).collect();
            layers.push(LayerRows {
                input_norm: &layer.norms[0],
                post_norm: &layer.norms[1],
                modules: modules.try_into().ok()?,
            });
        }
        Some(ModelRows {
            embedding: self.embedding.view(),
            head: self.head.as_ref().map(Bytes::view),
            norm: &self.norm,
            layers,
        })
    }
}
