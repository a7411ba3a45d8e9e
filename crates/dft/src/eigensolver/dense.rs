use rustfft::num_complex::Complex64;

use super::Operator;
use crate::linear_algebra::{ONE, ZERO};

/// The whole matrix of an operator, column by column: the plain reference that the iterative
/// solver is compared with.
pub(crate) fn dense_matrix(operator: &mut impl Operator<Scalar = Complex64>) -> Vec<Complex64> {
    let n = operator.len();
    let mut unit = vec![ZERO; n * n];
    for i in 0..n {
        unit[i * n + i] = ONE;
    }
    let mut matrix = vec![ZERO; n * n];
    operator.apply(&unit, &mut matrix);
    matrix
}
