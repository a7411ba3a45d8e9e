//! Elementary functions without branches, for as many numbers at once as a processor takes.
//!
//! They are made of sums, products, quotients and shifts alone, each rounded as IEEE 754 says: all
//! processors find the same bits, however many numbers they take at once. The tests say how close they
//! come to the C library's.

/// 2⁵²: the numbers from here to 2⁵³ are the integers.
const TWO_52: f64 = 4_503_599_627_370_496.0;
const MANTISSA_BITS: u32 = 52;
const MANTISSA: u64 = (1 << MANTISSA_BITS) - 1;
/// What is added to an exponent.
const BIAS: u64 = 1023;
/// ln 2 in two parts, the first of 32 bits: its product with an exponent is exact.
const LN_2_HIGH: f64 = 2_977_044_471.0 / 4_294_967_296.0;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// An integer below 2⁵² as a number.
#[inline(always)]
fn number(integer: u64) -> f64 {
    f64::from_bits(integer | TWO_52.to_bits()) - TWO_52
}

/// The integer nearest to a number from 0 to 2⁵².
#[inline(always)]
fn integer(number: f64) -> u64 {
    (number + TWO_52).to_bits() & MANTISSA
}

/// `c₀ + c₁ x + … + c₁₁ x¹¹`, by halves (Estrin's scheme).
#[inline(always)]
fn polynomial(x: f64, c: &[f64; 12]) -> f64 {
    let x2 = x * x;
    let x4 = x2 * x2;
    let x8 = x4 * x4;
    let four = |i: usize| (c[i] + c[i + 1] * x) + (c[i + 2] + c[i + 3] * x) * x2;
    (four(0) + four(4) * x4) + four(8) * x8
}

/// `x^{−1/3}` for a positive, normal x.
///
/// A third of the bits, which are nearly a logarithm, gives the root to 3.5 %. Then
/// `y ← y (1 − c)^{−1/3}`, `c = 1 − x y³`, by its series: to c⁵, which leaves 1e-7 of the root, and to c².
#[inline(always)]
pub(super) fn inverse_cube_root(x: f64) -> f64 {
    // 4/3 of the bits of 1, shifted by what makes the largest error smallest.
    const START: f64 =
        ((BIAS << (MANTISSA_BITS - 12)) as f64) * 4.0 / 3.0 - 0.068 * 1_099_511_627_776.0;
    let third = number(x.to_bits() >> 12) * (1.0 / 3.0);
    let y = f64::from_bits(integer(START - third) << 12);
    let c = 1.0 - x * y * y * y;
    let c2 = c * c;
    let series = (1.0 / 3.0 + c * (2.0 / 9.0))
        + c2 * ((14.0 / 81.0 + c * (35.0 / 243.0)) + c2 * (91.0 / 729.0));
    let y = y + y * c * series;
    let c = 1.0 - x * y * y * y;
    y + y * c * (1.0 / 3.0 + c * (2.0 / 9.0))
}

/// `ln(2^k (1 + f))` for 1 + f between √½ and √2: `ln(1 + f) = 2 artanh(f/(2 + f))`.
#[inline(always)]
fn ln_of_parts(k: f64, f: f64) -> f64 {
    // 1/3, 1/5, …
    const TAIL: [f64; 12] = [
        1.0 / 3.0,
        1.0 / 5.0,
        1.0 / 7.0,
        1.0 / 9.0,
        1.0 / 11.0,
        1.0 / 13.0,
        1.0 / 15.0,
        1.0 / 17.0,
        1.0 / 19.0,
        1.0 / 21.0,
        1.0 / 23.0,
        1.0 / 25.0,
    ];
    let z = f / (2.0 + f);
    let z2 = z * z;
    let twice = z + z;
    k * LN_2_HIGH + (twice + (twice * z2 * polynomial(z2, &TAIL) + k * LN_2_LOW))
}

/// The bits of √½.
const SQRT_HALF: u64 = std::f64::consts::FRAC_1_SQRT_2.to_bits();

/// ln x for a positive, normal x.
#[inline(always)]
pub(super) fn ln(x: f64) -> f64 {
    let k = (x.to_bits() + (BIAS << MANTISSA_BITS) - SQRT_HALF) >> MANTISSA_BITS;
    let fraction = x.to_bits() + (BIAS << MANTISSA_BITS) - (k << MANTISSA_BITS);
    ln_of_parts(number(k) - BIAS as f64, f64::from_bits(fraction) - 1.0)
}

/// ln(1 + x) for x from 0 to 1e300.
#[inline(always)]
pub(super) fn ln_1p(x: f64) -> f64 {
    let k = ((1.0 + x).to_bits() - SQRT_HALF) >> MANTISSA_BITS;
    // (1 + x) 2⁻ᵏ − 1, without the rounding of 1 + x.
    let scale = f64::from_bits((BIAS - k) << MANTISSA_BITS);
    ln_of_parts(number(k), x * scale + (scale - 1.0))
}

/// eˣ − 1 for x from 0 to 700.
///
/// `2ⁿ (eʳ − 1) + (2ⁿ − 1)` with `|r| ≤ ½ ln 2`.
#[inline(always)]
pub(super) fn exp_m1(x: f64) -> f64 {
    // 1/2!, 1/3!, …
    const TAIL: [f64; 12] = {
        let mut tail = [0.5; 12];
        let mut i = 1;
        while i < 12 {
            tail[i] = tail[i - 1] / (i + 2) as f64;
            i += 1;
        }
        tail
    };
    let shifted = x * std::f64::consts::LOG2_E + TWO_52;
    let n = shifted - TWO_52;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let small = r + r * r * polynomial(r, &TAIL);
    let scale = f64::from_bits(((shifted.to_bits() & MANTISSA) + BIAS) << MANTISSA_BITS);
    scale * small + (scale - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from the smallest normal one to the largest below `most`, and both sides of each power of
    /// two.
    fn numbers(most: f64) -> impl Iterator<Item = f64> {
        let spread = (0..400_000).map(|i| {
            let exponent = -1021.9 + f64::from(i) * (2045.8 / 400_000.0);
            exponent.exp2()
        });
        let near_powers = (-1021..1023).flat_map(|n| {
            let power = f64::from(n).exp2();
            [
                power.next_down(),
                power,
                power.next_up(),
                1.0 + power,
                power - 1.0,
            ]
        });
        let near_one = (0..100_000).map(|i| 0.3 + f64::from(i) * 3e-5);
        let all = spread.chain(near_powers).chain(near_one);
        all.filter(move |&x| x >= f64::MIN_POSITIVE && x <= most)
    }

    /// Distance in units of the last place of `expected`.
    fn ulps(found: f64, expected: f64) -> f64 {
        let ulp = expected.abs().next_up() - expected.abs();
        (found - expected).abs() / ulp
    }

    fn largest(most: f64, ours: fn(f64) -> f64, reference: fn(f64) -> f64) -> f64 {
        numbers(most)
            .map(|x| ulps(ours(x), reference(x)))
            .fold(0.0, f64::max)
    }

    // Oracle: the C library's and libm's functions, which are right to an ulp.
    #[test]
    fn they_agree_with_the_c_library() {
        let cube_root = |x: f64| inverse_cube_root(x).powi(2) * x;
        let root = largest(1e300, cube_root, libm::cbrt);
        let log = largest(1e300, ln, f64::ln);
        let log_1p = largest(1e300, ln_1p, f64::ln_1p);
        let exp_m1 = largest(700.0, exp_m1, f64::exp_m1);
        println!("{root} {log} {log_1p} {exp_m1}");
        assert!(root <= 4.0, "{root}");
        assert!(log <= 3.0, "{log}");
        assert!(log_1p <= 3.0, "{log_1p}");
        assert!(exp_m1 <= 3.0, "{exp_m1}");
    }

    // Oracle: their limits, to all digits.
    #[test]
    fn small_arguments_lose_no_digits() {
        for x in [0.0, f64::MIN_POSITIVE * 2.0, 1e-200, 1e-17] {
            assert_eq!(ln_1p(x), x);
            assert_eq!(exp_m1(x), x);
        }
        let smallest = f64::from_bits(1);
        for x in [smallest, 1e-310] {
            assert!((ln_1p(x) - x).abs() <= smallest);
            assert_eq!(exp_m1(x), x);
        }
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(inverse_cube_root(1.0), 1.0);
        assert_eq!(inverse_cube_root(64.0), 0.25);
    }
}
