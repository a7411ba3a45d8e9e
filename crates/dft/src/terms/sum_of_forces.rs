use crate::vector::Vector3;

/// What terms or k-points add to the force on each atom.
pub(crate) fn sum_of_forces(
    atoms: usize,
    parts: impl IntoIterator<Item = Vec<Vector3>>,
) -> Vec<Vector3> {
    let mut sum = vec![[0.0; 3]; atoms];
    for part in parts {
        for (sum, part) in sum.iter_mut().zip(part) {
            for (sum, part) in sum.iter_mut().zip(part) {
                *sum += part;
            }
        }
    }
    sum
}
