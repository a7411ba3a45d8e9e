//! Random numbers by counting: any of a stream can be had without those before it, so that what is
//! computed twice (a dropped activation, recomputed in the backward pass) is the same both times.

/// The numbers of a stream, uniform over 64 bits (SplitMix64, Steele et al. 2014).
#[inline(always)]
pub(crate) fn bits(key: u64, index: u64) -> u64 {
    let mut z = key.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The key of one stream among many.
pub(crate) fn key(seed: u64, stream: u64) -> u64 {
    bits(bits(seed, 1), stream.wrapping_add(1))
}

/// A uniform number in [0, 1).
#[inline(always)]
pub(crate) fn unit(key: u64, index: u64) -> f64 {
    (bits(key, index) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Independent normal numbers of variance 1 (Box and Muller 1958).
pub(crate) fn normals(seed: u64, stream: u64, count: usize) -> impl Iterator<Item = f32> {
    let key = key(seed, stream);
    (0..count as u64).map(move |index| {
        let radius = (-2.0 * (1.0 - unit(key, 2 * index)).ln()).sqrt();
        let angle = 2.0 * std::f64::consts::PI * unit(key, 2 * index + 1);
        (radius * angle.cos()) as f32
    })
}

/// The numbers below `n` in random order (Fisher and Yates).
pub(crate) fn shuffled(n: usize, seed: u64, stream: u64) -> Vec<usize> {
    let key = key(seed, stream);
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        let other = (unit(key, last as u64) * (last + 1) as f64) as usize;
        order.swap(last, other.min(last));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_permutations() {
        let values: Vec<f32> = normals(1, 2, 40_000).collect();
        let mean = values.iter().sum::<f32>() / 40_000.0;
        let variance = values.iter().map(|x| x * x).sum::<f32>() / 40_000.0;
        assert!(
            mean.abs() < 0.025 && (variance - 1.0).abs() < 0.05,
            "{mean} {variance}"
        );
        let mut order = shuffled(100, 3, 4);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
