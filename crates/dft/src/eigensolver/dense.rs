use rustfft::num_complex::Complex64;

use super::{DavidsonSettings, EigenSolution, Exactness, Operator, Workspace, davidson};
use crate::{
    cancellation::Cancellation,
    linear_algebra::{ONE, ZERO},
};

/// The lowest bands by the iterative solver, all of them converged as far as double precision goes.
pub(crate) fn solved_to_the_end(
    operator: &mut impl Operator<Scalar = Complex64>,
    psi: &mut Vec<Complex64>,
    bands: usize,
) -> EigenSolution<Complex64> {
    let settings = DavidsonSettings {
        exactness: Exactness::Full,
        bands,
        residual2_limits: &vec![1e-20; bands],
        max_iterations: 60,
        subspace_factor: 4,
        cancellation: Cancellation::NEVER,
    };
    let solution = davidson(operator, psi, &settings, &mut Workspace::default()).unwrap();
    assert_eq!(solution.unconverged, 0);
    solution
}

/// The whole matrix of an operator, column by column: the plain reference that the iterative
/// solver is compared with.
pub(crate) fn dense_matrix(operator: &mut impl Operator<Scalar = Complex64>) -> Vec<Complex64> {
    let unit = unit_matrix(operator.len());
    let projections = operator.project(&unit);
    let mut matrix = vec![ZERO; unit.len()];
    operator.apply(&unit, &projections, &mut matrix).unwrap();
    matrix
}

/// The whole overlap, likewise.
pub(crate) fn dense_overlap(operator: &impl Operator<Scalar = Complex64>) -> Vec<Complex64> {
    let mut matrix = unit_matrix(operator.len());
    let projections = operator.project(&matrix);
    if let Some(coefficients) = operator.overlap_coefficients(&projections) {
        operator.add_combination(&coefficients, &mut matrix);
    }
    matrix
}

fn unit_matrix(n: usize) -> Vec<Complex64> {
    let mut unit = vec![ZERO; n * n];
    for i in 0..n {
        unit[i * n + i] = ONE;
    }
    unit
}
