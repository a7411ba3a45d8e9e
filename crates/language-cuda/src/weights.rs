//! The frozen weights of a model on the GPU: bytes with one scale for each row where the model has them so,
//! otherwise numbers of the device's precision.

use crystalgym_language::{LayerWeights as HostLayer, Llama, LlamaConfig, Matrix, Module, Storage};

use crate::{
    CudaError, Device, Precision,
    device::arguments,
    kernels::Kernel,
    memory::Memory,
    plan::{Group, Plan},
    shape::layer_weights,
};

/// Rows that are unpacked on the host at a time.
const ROWS: usize = 4096;

/// A frozen matrix on the GPU.
pub(crate) struct Frozen {
    values: Memory,
    /// Of bytes, one for each row.
    scales: Option<Memory>,
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
pub(crate) struct Weights {
    pub(crate) embedding: Frozen,
    head: Option<Frozen>,
    pub(crate) norm: Memory,
    pub(crate) layers: Vec<LayerWeights>,
}

impl Weights {
    /// Copies a model to the GPU.
    pub(crate) fn upload(device: &Device, plan: &Plan, model: &Llama) -> Result<Self, CudaError> {
        let norm = |values: &[f32]| {
            let mut memory = device.zeros(values.len(), 4)?;
            device.upload(&mut memory, 0, values)?;
            Ok::<_, CudaError>(memory)
        };
        let layer = |layer: &HostLayer| {
            let group = |group: &Group| {
                let maps = group
                    .modules
                    .iter()
                    .filter_map(|&module| layer.modules.get(module as usize));
                Frozen::upload(device, &maps.collect::<Vec<_>>())
            };
            Ok::<_, CudaError>(LayerWeights {
                input_norm: norm(&layer.input_norm)?,
                post_norm: norm(&layer.post_norm)?,
                groups: each(plan, group)?,
            })
        };
        Ok(Self {
            embedding: Frozen::upload(device, &[model.embedding()])?,
            head: match model.config().tie_word_embeddings {
                true => None,
                false => Some(Frozen::upload(device, &[model.head()])?),
            },
            norm: norm(model.norm())?,
            layers: model.layers().iter().map(layer).collect::<Result<_, _>>()?,
        })
    }

    /// Bytes that are uniform with a standard deviation of 0.02, and norms of 1, made on the GPU: for
    /// timing.
    pub(crate) fn random(
        device: &Device,
        plan: &Plan,
        config: &LlamaConfig,
        seed: u64,
    ) -> Result<Self, CudaError> {
        let (vocabulary, hidden) = (config.vocab_size, config.hidden_size);
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
        let mut layers = Vec::with_capacity(plan.layers);
        for _ in 0..plan.layers {
            layers.push(LayerWeights {
                groups: each(plan, |group| matrix(group.outputs, group.inputs))?,
                input_norm: norm()?,
                post_norm: norm()?,
            });
        }
        Ok(Self {
            embedding: matrix(vocabulary, hidden)?,
            head: match config.tie_word_embeddings {
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

    /// Bytes of the weights of a shape in 8 bits: one for each, four for each row.
    pub(crate) fn bytes(config: &LlamaConfig) -> usize {
        let matrices = if config.tie_word_embeddings { 1 } else { 2 };
        let rows: usize = Module::ALL
            .iter()
            .map(|module| module.shape(config).0)
            .sum();
        let norms = 4 * config.hidden_size;
        matrices * config.vocab_size * (config.hidden_size + 4)
            + config.num_hidden_layers * (layer_weights(config) + 4 * rows + 2 * norms)
            + norms
    }
}

impl Frozen {
    /// Matrices of equal columns, one below the other.
    fn upload(device: &Device, parts: &[&Matrix]) -> Result<Self, CudaError> {
        let rows = parts.iter().map(|part| part.rows()).sum();
        let columns = parts.first().map_or(0, |part| part.columns());
        let bytes = parts
            .iter()
            .all(|part| matches!(part.storage(), Storage::Row8 { .. }));
        let element = if bytes { 1 } else { device.precision().bytes() };
        let mut values = device.zeros(rows * columns, element)?;
        let mut all_scales = Vec::new();
        let mut first = 0;
        for part in parts {
            match part.storage() {
                Storage::Row8 {
                    scales,
                    values: bytes_of_part,
                } if bytes => {
                    device.upload(&mut values, first * columns, bytes_of_part)?;
                    all_scales.extend_from_slice(scales);
                }
                _ => upload_numbers(device, part, &mut values, first)?,
            }
            first += part.rows();
        }
        let scales = match bytes {
            true => {
                let mut scales = device.zeros(rows, 4)?;
                device.upload(&mut scales, 0, &all_scales)?;
                Some(scales)
            }
            false => None,
        };
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
            scales: Some(scales),
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
        let grid = (self.rows, 1);
        match &self.scales {
            Some(scales) => {
                let arguments = arguments![&self.values, scales, to, self.columns, leading];
                device.launch(Kernel::Dequantise, grid, 256, 0, arguments)
            }
            None => {
                let arguments = arguments![&self.values, to, self.columns, leading];
                device.launch(Kernel::CopyRows, grid, 128, 0, arguments)
            }
        }
    }

    /// Writes the rows of `count` tokens to `to` in f32; those of tokens behind these rows are in `new`.
    pub(crate) fn embed(
        &self,
        device: &Device,
        tokens: &Memory,
        count: usize,
        new: u64,
        to: u64,
    ) -> Result<(), CudaError> {
        let (grid, rows, columns) = ((count, 1), self.rows, self.columns);
        match &self.scales {
            Some(scales) => {
                let arguments = arguments![&self.values, scales, tokens, new, rows, to, columns];
                device.launch(Kernel::Embed, grid, 256, 0, arguments)
            }
            None => {
                let arguments = arguments![&self.values, tokens, new, rows, to, columns];
                device.launch(Kernel::EmbedNumbers, grid, 256, 0, arguments)
            }
        }
    }
}

/// Copies a matrix in the device's precision to rows from `first` on.
fn upload_numbers(
    device: &Device,
    matrix: &Matrix,
    to: &mut Memory,
    first: usize,
) -> Result<(), CudaError> {
    let columns = matrix.columns();
    let mut numbers = Vec::new();
    for start in (0..matrix.rows()).step_by(ROWS) {
        let end = (start + ROWS).min(matrix.rows());
        numbers.resize((end - start) * columns, 0.0);
        matrix.dequantise(start..end, &mut numbers);
        let at = (first + start) * columns;
        match device.precision() {
            Precision::F32 => device.upload(to, at, &numbers)?,
            Precision::Bf16 => {
                let rounded: Vec<u16> = numbers.iter().map(|&x| bf16(x)).collect();
                device.upload(to, at, &rounded)?;
            }
        }
    }
    Ok(())
}

/// The bits of the nearest brain float, even ones where two are as near.
fn bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16
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

fn each(
    plan: &Plan,
    make: impl FnMut(&Group) -> Result<Frozen, CudaError>,
) -> Result<[Frozen; 4], CudaError> {
    let made: Vec<Frozen> = plan.groups.iter().map(make).collect::<Result<_, _>>()?;
    <[Frozen; 4]>::try_from(made)
        .map_err(|_| CudaError::Input("a layer has four groups".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_model_takes_eight_gigabytes() {
        let bytes = Weights::bytes(&LlamaConfig::llama_3_8b());
        // Oracle: 8.03e9 weights of a byte, and 4 bytes for each row and norm by hand.
        let rows = 32 * (4096 + 2 * 1024 + 4096 + 2 * 14_336 + 4096) + 2 * 128_256;
        assert_eq!(bytes, 8_030_261_248 - 65 * 4096 + 4 * rows + 4 * 65 * 4096);
    }

    /// Oracle: the format, 8 bits of fraction with the first one implied.
    #[test]
    fn numbers_are_rounded_to_the_nearest() {
        assert_eq!(bf16(1.0), 0x3f80);
        assert_eq!(bf16(-2.5), 0xc020);
        // 1 + 1/256 is half way between 1 and 1 + 1/128; 1 + 3/256 between that and 1 + 1/64.
        assert_eq!(bf16(1.0 + 1.0 / 256.0), 0x3f80);
        assert_eq!(bf16(1.0 + 3.0 / 256.0), 0x3f82);
        assert_eq!(bf16(1.0 + 1.1 / 256.0), 0x3f81);
    }
}
