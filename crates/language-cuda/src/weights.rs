//! The frozen weights of a model on the GPU, in bytes with one scale for each row.

use crate::{
    CudaError, Device, LlamaShape, Module, device::arguments, kernels::Kernel, memory::Memory,
    plan::Plan,
};

/// A matrix in 8 bits on the host: `w[row][column] = scale[row] · value[row][column]`.
#[derive(Debug, Clone, Copy)]
pub struct Row8<'a> {
    /// Row by row.
    pub values: &'a [i8],
    /// One for each row.
    pub scales: &'a [f32],
}

/// The weights of one layer on the host.
#[derive(Debug, Clone)]
pub struct LayerRows<'a> {
    /// Norm before attention.
    pub input_norm: &'a [f32],
    /// Norm before the feed-forward block.
    pub post_norm: &'a [f32],
    /// The linear maps, in the order of [`Module::ALL`].
    pub modules: [Row8<'a>; 7],
}

/// The weights of a model on the host.
#[derive(Debug, Clone)]
pub struct ModelRows<'a> {
    /// Rows of the tokens.
    pub embedding: Row8<'a>,
    /// Rows of the head, unless they are those of the embedding.
    pub head: Option<Row8<'a>>,
    /// The last norm.
    pub norm: &'a [f32],
    /// All layers.
    pub layers: Vec<LayerRows<'a>>,
}

/// A frozen matrix on the GPU.
pub(crate) struct Frozen {
    values: Memory,
    scales: Memory,
    rows: usize,
    columns: usize,
}

/// A layer on the GPU, with the maps of each group as one matrix.
pub(crate) struct LayerWeights {
    pub(crate) input_norm: Memory,
    pub(crate) post_norm: Memory,
    pub(crate) groups: [Frozen; 4],
}

/// A model's frozen weights on the GPU.
pub struct Weights {
    pub(crate) embedding: Frozen,
    head: Option<Frozen>,
    pub(crate) norm: Memory,
    pub(crate) layers: Vec<LayerWeights>,
}

impl Weights {
    /// Copies a model to the GPU.
    ///
    /// # Errors
    /// [`CudaError::Input`] if a matrix is not of the shape's size, and those of the driver.
    pub fn upload(
        device: &Device,
        shape: &LlamaShape,
        model: &ModelRows<'_>,
    ) -> Result<Self, CudaError> {
        let plan = Plan::frozen(shape)?;
        if model.layers.len() != shape.num_hidden_layers
            || model.head.is_some() == shape.tie_word_embeddings
        {
            return Err(CudaError::Input(
                "the weights have other layers, or another head, than the shape".to_owned(),
            ));
        }
        let (vocabulary, hidden) = (shape.vocab_size, shape.hidden_size);
        let norm = |values: &[f32]| {
            if values.len() != hidden {
                return Err(CudaError::Input(format!(
                    "a norm has {} numbers, expected {hidden}",
                    values.len()
                )));
            }
            let mut memory = device.zeros(hidden, 4)?;
            device.upload(&mut memory, 0, values)?;
            Ok(memory)
        };
        let layer = |layer: &LayerRows<'_>| {
            let mut groups = Vec::with_capacity(4);
            for group in &plan.groups {
                let parts: Vec<(Row8<'_>, usize)> = group
                    .modules
                    .iter()
                    .map(|&module| (layer.modules[module as usize], module.shape(shape).0))
                    .collect();
                groups.push(Frozen::upload(device, group.inputs, &parts)?);
            }
            Ok::<_, CudaError>(LayerWeights {
                input_norm: norm(layer.input_norm)?,
                post_norm: norm(layer.post_norm)?,
                groups: four(groups)?,
            })
        };
        Ok(Self {
            embedding: Frozen::upload(device, hidden, &[(model.embedding, vocabulary)])?,
            head: match model.head {
                Some(head) => Some(Frozen::upload(device, hidden, &[(head, vocabulary)])?),
                None => None,
            },
            norm: norm(model.norm)?,
            layers: model.layers.iter().map(layer).collect::<Result<_, _>>()?,
        })
    }

    /// Weights that are uniform with a standard deviation of 0.02, and norms of 1, made on the GPU: for
    /// timing.
    ///
    /// # Errors
    /// [`CudaError::Setting`] for a shape that cannot be, and those of the driver.
    pub fn random(device: &Device, shape: &LlamaShape, seed: u64) -> Result<Self, CudaError> {
        let plan = Plan::frozen(shape)?;
        let (vocabulary, hidden) = (shape.vocab_size, shape.hidden_size);
        let mut next = seed;
        let mut matrix = |rows, columns| {
            next = next.wrapping_add(0x9e37_79b9_7f4a_7c15);
            Frozen::random(device, rows, columns, next)
        };
        let norm = || {
            let memory = device.zeros(hidden, 4)?;
            fill(device, &memory, hidden, 1.0)?;
            Ok::<_, CudaError>(memory)
        };
        let mut layers = Vec::with_capacity(shape.num_hidden_layers);
        for _ in 0..shape.num_hidden_layers {
            let groups = plan
                .groups
                .iter()
                .map(|group| matrix(group.outputs, group.inputs));
            layers.push(LayerWeights {
                groups: four(groups.collect::<Result<_, _>>()?)?,
                input_norm: norm()?,
                post_norm: norm()?,
            });
        }
        Ok(Self {
            embedding: matrix(vocabulary, hidden)?,
            head: match shape.tie_word_embeddings {
                true => None,
                false => Some(matrix(vocabulary, hidden)?),
            },
            norm: norm()?,
            layers,
        })
    }

    pub(crate) fn head(&self) -> &Frozen {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// Bytes of the weights of a shape: one for each, four for each row.
    pub fn bytes(shape: &LlamaShape) -> usize {
        let matrices = if shape.tie_word_embeddings { 1 } else { 2 };
        let rows: usize = Module::ALL.iter().map(|module| module.shape(shape).0).sum();
        let norms = 4 * shape.hidden_size;
        matrices * (shape.head_weights() + 4 * shape.vocab_size)
            + shape.num_hidden_layers * (shape.layer_weights() + 4 * rows + 2 * norms)
            + norms
    }
}

impl Frozen {
    fn upload(
        device: &Device,
        columns: usize,
        parts: &[(Row8<'_>, usize)],
    ) -> Result<Self, CudaError> {
        let rows = parts.iter().map(|(_, rows)| rows).sum();
        let mut values = device.zeros(rows * columns, 1)?;
        let mut scales = device.zeros(rows, 4)?;
        let mut first = 0;
        for &(part, rows) in parts {
            if part.values.len() != rows * columns || part.scales.len() != rows {
                let (found, scales) = (part.values.len(), part.scales.len());
                let message = format!(
                    "a matrix has {found} weights and {scales} rows, expected {rows} × {columns}"
                );
                return Err(CudaError::Input(message));
            }
            device.upload(&mut values, first * columns, part.values)?;
            device.upload(&mut scales, first, part.scales)?;
            first += rows;
        }
        Ok(Self {
            values,
            scales,
            rows,
            columns,
        })
    }

    fn random(device: &Device, rows: usize, columns: usize, seed: u64) -> Result<Self, CudaError> {
        let (values, scales) = (device.zeros(rows * columns, 1)?, device.zeros(rows, 4)?);
        let count = rows * columns;
        let grid = (count.div_ceil(4 * 256), 1);
        device.launch(
            Kernel::RandomBytes,
            grid,
            256,
            0,
            arguments![&values, count as i64, seed],
        )?;
        // Uniform within ±a has the deviation a/√3.
        fill(device, &scales, rows, 0.02 * 3.0_f32.sqrt() / 127.0)?;
        Ok(Self {
            values,
            scales,
            rows,
            columns,
        })
    }

    /// Writes all rows to `to`, `leading` numbers apart.
    pub(crate) fn unpack(
        &self,
        device: &Device,
        to: &Memory,
        leading: usize,
    ) -> Result<(), CudaError> {
        let arguments = arguments![&self.values, &self.scales, to, self.columns, leading];
        device.launch(Kernel::Dequantise, (self.rows, 1), 256, 0, arguments)
    }

    /// Writes the rows of `count` tokens to `to` in f32.
    pub(crate) fn embed(
        &self,
        device: &Device,
        tokens: &Memory,
        count: usize,
        to: u64,
    ) -> Result<(), CudaError> {
        let arguments = arguments![&self.values, &self.scales, tokens, to, self.columns];
        device.launch(Kernel::Embed, (count, 1), 256, 0, arguments)
    }
}

fn fill(device: &Device, memory: &Memory, count: usize, value: f32) -> Result<(), CudaError> {
    let grid = (count.div_ceil(256), 1);
    device.launch(
        Kernel::Fill,
        grid,
        256,
        0,
        arguments![memory, count as i64, value],
    )
}

fn four<T>(values: Vec<T>) -> Result<[T; 4], CudaError> {
    <[T; 4]>::try_from(values).map_err(|_| CudaError::Input("a layer has four groups".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_model_takes_eight_gigabytes() {
        let bytes = Weights::bytes(&LlamaShape::llama_3_8b());
        // Oracle: 8.03e9 weights of a byte, and 4 bytes for each row and norm by hand.
        let rows = 32 * (4096 + 2 * 1024 + 4096 + 2 * 14_336 + 4096) + 2 * 128_256;
        assert_eq!(bytes, 8_030_261_248 - 65 * 4096 + 4 * rows + 4 * 65 * 4096);
    }
}
