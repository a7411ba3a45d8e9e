//! The kernels, compiled when the program runs, and their names.

/// All sources, in the order in which they are compiled as one.
pub(crate) const SOURCE: &str = concat!(
    include_str!("element.cu"),
    include_str!("weights.cu"),
    include_str!("norm.cu"),
    include_str!("heads.cu"),
    include_str!("attention.cu"),
    include_str!("feed_forward.cu"),
    include_str!("loss.cu"),
);

macro_rules! kernels {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// A kernel; what it does and takes is written in its source.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Kernel {
            $($variant),*
        }

        impl Kernel {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),*];

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),*
                }
            }
        }
    };
}

kernels! {
    Dequantise = "dequantise",
    CopyRows = "copy_rows",
    Embed = "embed",
    EmbedNumbers = "embed_numbers",
    EmbedBackward = "embed_backward",
    ToElements = "to_elements",
    PackLowRank = "pack_low_rank",
    UnpackLowRank = "unpack_low_rank",
    RandomBytes = "random_bytes",
    Fill = "fill",
    AddNorm = "add_norm",
    NormBackward = "norm_backward",
    SplitHeads = "split_heads",
    SplitHeadsBackward = "split_heads_backward",
    JoinHeads = "join_heads",
    JoinHeadsBackward = "join_heads_backward",
    CausalSoftmax = "causal_softmax",
    SoftmaxBackward = "softmax_backward",
    Swiglu = "swiglu",
    SwigluBackward = "swiglu_backward",
    CrossEntropy = "cross_entropy",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_has_a_source_and_every_source_a_kernel() {
        let mut found: Vec<&str> = SOURCE
            .split("extern \"C\" __global__ void ")
            .skip(1)
            .filter_map(|rest| rest.split('(').next())
            .collect();
        let mut named: Vec<&str> = Kernel::ALL.iter().map(|kernel| kernel.name()).collect();
        found.sort_unstable();
        named.sort_unstable();
        assert_eq!(found, named);
        assert!(SOURCE.is_ascii());
    }
}
