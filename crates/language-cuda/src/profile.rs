//! What the parts of a step take, by events on the GPU.

/// A part of a training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Unpacking weights from 8 bits, and the additions beside them.
    Unpack,
    /// Products with the frozen weights, which carry the additions along.
    Products,
    /// Products with A and B, and their gradients.
    LowRank,
    /// Attention: rotation, scores, softmax, outputs, and the way back.
    Attention,
    /// Norms, SwiGLU, embedding.
    Pointwise,
    /// The head and the losses, its unpacking included.
    Head,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Unpack,
        Self::Products,
        Self::LowRank,
        Self::Attention,
        Self::Pointwise,
        Self::Head,
    ];

    /// A name for tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unpack => "unpack",
            Self::Products => "products",
            Self::LowRank => "low_rank",
            Self::Attention => "attention",
            Self::Pointwise => "pointwise",
            Self::Head => "head",
        }
    }
}
