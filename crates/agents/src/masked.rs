/// The allowed action with the largest value, the first of equals; `None` if none is allowed or
/// every allowed value is NaN.
pub(crate) fn masked_argmax(values: &[f32], allowed: &[bool]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (action, (value, _)) in values
        .iter()
        .zip(allowed)
        .enumerate()
        .filter(|(_, (value, allowed))| **allowed && !value.is_nan())
    {
        if best.is_none_or(|best| *value > values[best]) {
            best = Some(action);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_allowed_value_wins() {
        let values = [1.0, 5.0, 3.0, 3.0];
        assert_eq!(masked_argmax(&values, &[true; 4]), Some(1));
        assert_eq!(masked_argmax(&values, &[true, false, true, true]), Some(2));
        assert_eq!(masked_argmax(&values, &[false; 4]), None);
        assert_eq!(masked_argmax(&[f32::NAN, -2.0], &[true; 2]), Some(1));
        assert_eq!(masked_argmax(&[f32::NAN; 2], &[true; 2]), None);
    }
}
