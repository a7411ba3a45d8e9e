//! Draws whose values depend on the seed alone, not on the version of a library.

use rand::Rng;

/// A whole number from 0 to `n − 1`, all equally likely: Lemire's multiplication with rejection
/// (ACM Trans. Model. Comput. Simul. 29, 3 (2019)). 0 if `n` is 0.
pub fn uniform_below(rng: &mut impl Rng, n: usize) -> usize {
    let n = n as u64;
    if n == 0 {
        return 0;
    }
    let rejected = n.wrapping_neg() % n;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(n);
        if product as u64 >= rejected {
            return (product >> 64) as usize;
        }
    }
}

/// The place of one of the allowed ones, all equally likely; 0 if none is.
pub fn random_choice(allowed: &[bool], rng: &mut impl Rng) -> usize {
    let count = allowed.iter().filter(|allowed| **allowed).count();
    let choice = uniform_below(rng, count);
    let mut places = allowed
        .iter()
        .enumerate()
        .filter_map(|(place, allowed)| allowed.then_some(place));
    places.nth(choice).unwrap_or_default()
}

/// A number in [0, 1) with 53 random bits.
pub fn uniform_unit(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_pcg::Pcg64;

    use super::*;

    /// Pins the stream: a seed must mean the same in every version.
    #[test]
    fn values_of_seed_1_never_change() {
        let mut rng = Pcg64::seed_from_u64(1);
        let draws: Vec<usize> = (0..8).map(|_| uniform_below(&mut rng, 18)).collect();
        assert_eq!(draws, PINNED);
        assert!((0.0..1.0).contains(&uniform_unit(&mut rng)));
    }

    const PINNED: [usize; 8] = [15, 0, 2, 17, 15, 8, 3, 6];

    /// Oracle: the variance of a multinomial; five standard errors.
    #[test]
    fn draws_are_uniform() {
        let mut rng = Pcg64::seed_from_u64(2);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[uniform_below(&mut rng, 7)] += 1;
        }
        for count in counts {
            assert!(
                (f64::from(count) - 10_000.0).abs() < 5.0 * 93.0,
                "{counts:?}"
            );
        }
        assert_eq!(uniform_below(&mut rng, 1), 0);
    }
}
