//! Numbers of 16 bits.

/// The value of an IEEE 754 half-precision number.
pub(crate) fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10) & 31;
    let fraction = u32::from(bits) & 0x3ff;
    match (exponent, fraction) {
        (0, 0) => f32::from_bits(sign),
        // Subnormal: fraction · 2⁻²⁴, exact in f32.
        (0, _) => {
            let value = fraction as f32 * f32::from_bits((127 - 24) << 23);
            f32::from_bits(value.to_bits() | sign)
        }
        (31, _) => f32::from_bits(sign | 0x7f80_0000 | (fraction << 13)),
        _ => f32::from_bits(sign | ((exponent + 112) << 23) | (fraction << 13)),
    }
}

/// The value of a bfloat16 number.
pub(crate) fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: values from the definition of the format, `(−1)ˢ 2^(e−15) (1 + f/1024)`.
    #[test]
    fn every_half_number_has_its_value() {
        for bits in 0..=u16::MAX {
            let exponent = i32::from((bits >> 10) & 31);
            let fraction = f64::from(bits & 0x3ff) / 1024.0;
            let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
            let found = f16_to_f32(bits);
            let expected = match exponent {
                31 if fraction == 0.0 => sign * f64::INFINITY,
                31 => {
                    assert!(found.is_nan());
                    continue;
                }
                0 => sign * fraction * 2.0_f64.powi(-14),
                _ => sign * (1.0 + fraction) * 2.0_f64.powi(exponent - 15),
            };
            assert_eq!(f64::from(found), expected, "{bits:#x}");
        }
        assert_eq!(bf16_to_f32(0x3fc0), 1.5);
    }
}
