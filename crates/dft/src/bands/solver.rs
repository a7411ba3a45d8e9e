//! What finds the bands, keeps them, and sums over them: all k-points and bands in one call.

use std::{fmt::Debug, num::NonZeroUsize, sync::Arc};

use rustfft::num_complex::Complex64;

use crate::{
    DftError,
    basis::PlaneWaveBasis,
    cancellation::Cancellation,
    eigensolver::Exactness,
    terms::projector_matrices::ProjectorMatrices,
    vector::{Matrix3, Vector3},
};

/// The bands at all k-points of a mesh, wherever they lie and whatever they are made of.
///
/// Operators go in, energies and sums over bands come out; the bands themselves never do. What numbers and
/// precision they are in, what memory they take, where the first ones come from, and how the work is
/// divided, is known behind this border only.
pub(crate) trait BandSolver {
    /// Improves the bands of all k-points in the given operators; `None` if that broke down or was cancelled:
    /// there are no bands then.
    fn solve(&mut self, problem: &Eigenproblem<'_>, accuracy: &Accuracy<'_>) -> Option<Solved>;

    /// What the bands add up to, with so many electrons in each: shape (k-points, bands).
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    fn sums(&self, basis: &PlaneWaveBasis, occupations: &[Vec<f64>]) -> Result<BandSums, DftError>;

    /// Takes leave of a mesh of k-points, to go on with a denser one: its bands are where the first ones of the
    /// next problem come from.
    fn leave_coarse_mesh(&mut self, coarse: PlaneWaveBasis);

    /// The bands, for what is derived from them; `None` if there are none.
    fn into_bands(self: Box<Self>) -> Option<Arc<dyn KeptBands>>;
}

/// `Hψ = εSψ` at the k-points of the basis: `H = ½|k+G|² + V(r) + Σ |β_i⟩ D_ij ⟨β_j|`,
/// `S = 1 + Σ |β_i⟩ q_ij ⟨β_j|`.
#[derive(Clone, Copy)]
pub(crate) struct Eigenproblem<'a> {
    pub(crate) basis: &'a PlaneWaveBasis,
    /// V in hartree, on the density grid's G.
    pub(crate) potential: &'a [Complex64],
    /// D in hartree.
    pub(crate) coupling: &'a ProjectorMatrices,
    /// q; `None` where S is the identity.
    pub(crate) overlap: Option<&'a ProjectorMatrices>,
}

/// How well bands are to be known.
#[derive(Clone, Copy)]
pub(crate) struct Accuracy<'a> {
    /// `|Hψ − εψ|²` in hartree² of bands that hold electrons.
    pub(crate) residual2: f64,
    /// Electrons in each band, as far as is known: shape (k-points, bands).
    pub(crate) occupations: &'a [Vec<f64>],
    /// Error in hartree of the density that the operators were made of; infinite if nobody knows.
    pub(crate) density_error_ha: f64,
    /// The one at which the loop ends.
    pub(crate) wanted_error_ha: f64,
}

/// What was found at all k-points.
#[derive(Debug)]
pub(crate) struct Solved {
    /// In hartree, ascending: shape (k-points, bands).
    pub(crate) eigenvalues_ha: Vec<Vec<f64>>,
    /// Vectors that H was applied to.
    pub(crate) applications: usize,
    /// Bands that were not as accurate as wished.
    pub(crate) unconverged: usize,
    /// What H was. Unless it was applied in full, energies and densities are good enough to go on from, not to end
    /// with; those of drafts are no answers of the same function as the others.
    pub(crate) exactness: Exactness,
}

/// Sums over the bands of the irreducible k-points, without symmetry.
#[derive(Debug)]
pub(crate) struct BandSums {
    /// `Σ_k w Σ_n f |ψ_nk|²` in bohr⁻³, on the density grid's G.
    pub(crate) density: Vec<Complex64>,
    /// `ρ_ij = Σ_k w Σ_n f ⟨ψ_nk|β_i⟩⟨β_j|ψ_nk⟩`; zero where S is the identity, and nobody needs it.
    pub(crate) projector_occupations: ProjectorMatrices,
}

/// Bands that are no longer changed.
pub(crate) trait KeptBands: Debug + Send + Sync {
    /// Number of coefficients at all k-points together.
    fn coefficient_count(&self) -> usize;

    /// Coefficients at the k-point of this index, one column per band, those with eigenvalues first: what
    /// other calculations start from.
    fn columns(&self, basis: &PlaneWaveBasis, k: usize) -> Vec<Complex64>;

    /// What forces and stress are made of, for the basis of the bands.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    fn contractions<'a>(
        &'a self,
        basis: &'a PlaneWaveBasis,
        threads: NonZeroUsize,
        cancellation: Cancellation<'_>,
    ) -> Result<Arc<dyn BandContractions + 'a>, DftError>;
}

/// What bands are weighted with.
#[derive(Clone, Copy)]
pub(crate) struct BandWeights<'a> {
    /// f: electrons in each band, shape (k-points, bands).
    pub(crate) occupations: &'a [Vec<f64>],
    /// ε of each of them, in hartree.
    pub(crate) eigenvalues_ha: &'a [Vec<f64>],
    /// D in hartree.
    pub(crate) coupling: &'a ProjectorMatrices,
    /// q; `None` where S is the identity.
    pub(crate) overlap: Option<&'a ProjectorMatrices>,
}

/// Derivatives of the energy that are sums over bands, at fixed coefficients.
///
/// # Errors
/// All: [`DftError::Cancelled`].
pub(crate) trait BandContractions: Send + Sync {
    /// `−Σ w f q_a q_b |c(G)|²`, q = k + G, in hartree.
    fn kinetic_strain(
        &self,
        weights: BandWeights<'_>,
        cancellation: Cancellation<'_>,
    ) -> Result<Matrix3, DftError>;

    /// `−Σ w f 2 Re Σ_ij ⟨ψ|∂β_i/∂τ⟩ (D_ij − ε q_ij) ⟨β_j|ψ⟩` for each atom, in hartree/bohr.
    fn nonlocal_forces(
        &self,
        weights: BandWeights<'_>,
        cancellation: Cancellation<'_>,
    ) -> Result<Vec<Vector3>, DftError>;

    /// `Σ w f 2 Re Σ_ij ⟨ψ|∂β_i/∂ε_ab⟩ (D_ij − ε q_ij) ⟨β_j|ψ⟩` in hartree.
    fn nonlocal_strain(
        &self,
        weights: BandWeights<'_>,
        cancellation: Cancellation<'_>,
    ) -> Result<Matrix3, DftError>;
}
