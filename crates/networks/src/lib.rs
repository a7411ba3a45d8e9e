//! Graph networks with fused kernels and reverse-mode gradients.
