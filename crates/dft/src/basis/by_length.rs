//! The order of plane waves.

use crate::{DftError, cancellation::Cancellation};

/// Waves that are sorted at once.
const PIECE: usize = 1 << 17;

/// A plane wave: |k+G|² in any unit, and the Miller indices of G.
pub(super) type LengthAndMiller = (f64, [i32; 3]);

/// Sorts plane waves by length, then by index.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(super) fn sort_by_length(
    waves: &mut [LengthAndMiller],
    cancellation: Cancellation<'_>,
) -> Result<(), DftError> {
    // Lengths that differ by rounding only must not decide the order.
    let key = |&(length2, miller): &LengthAndMiller| ((length2 * 1e8).round() as u64, miller);
    cancellation.check()?;
    if waves.len() <= PIECE {
        waves.sort_unstable_by_key(key);
        return Ok(());
    }
    let (shorter, _, longer) = waves.select_nth_unstable_by_key(waves.len() / 2, key);
    sort_by_length(shorter, cancellation)?;
    sort_by_length(longer, cancellation)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the stable sort of the whole; equal lengths go by their indices.
    #[test]
    fn pieces_are_in_the_order_of_the_whole() {
        let reach = 40;
        let mut waves: Vec<LengthAndMiller> = (-reach..=reach)
            .flat_map(|i| (-reach..=reach).map(move |j| (i, j)))
            .flat_map(|(i, j)| (-reach..=reach).map(move |k| [i, j, k]))
            .map(|m| (m.iter().map(|x| f64::from(x * x)).sum::<f64>(), m))
            .collect();
        assert!(waves.len() > 2 * PIECE);
        let mut expected = waves.clone();
        expected.sort_by(|(a, m), (b, n)| a.total_cmp(b).then(m.cmp(n)));
        sort_by_length(&mut waves, Cancellation::NEVER).unwrap();
        assert_eq!(waves, expected);
    }
}
