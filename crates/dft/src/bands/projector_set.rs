//! The projectors at all k-points, kept where memory allows.

use std::num::NonZeroUsize;

use crate::{
    DftError,
    basis::PlaneWaveBasis,
    cancellation::Cancellation,
    parallel::parallel_map,
    terms::{
        atomic_columns::AtomicScalar, nonlocal::Projectors, projector_channels::projector_sides,
    },
};

/// The projectors at all k-points: those that fit into memory are kept, from the first k-point on;
/// the others are made at each use, which costs little beside a use.
#[derive(Debug, Clone)]
pub(crate) struct ProjectorSet<S> {
    kept: Vec<Projectors<S>>,
}

impl<S: AtomicScalar + Send + Sync> ProjectorSet<S> {
    /// Keeps at most so many bytes.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn new(
        basis: &PlaneWaveBasis,
        most_bytes: usize,
        threads: NonZeroUsize,
        cancellation: Cancellation<'_>,
    ) -> Result<Self, DftError> {
        let columns: usize = projector_sides(&basis.model).into_iter().sum();
        let mut bytes = 0;
        let kept = basis.waves.iter().take_while(|waves| {
            bytes += columns * waves.len() * size_of::<S>();
            bytes <= most_bytes
        });
        let kept = parallel_map(threads, kept, |waves| {
            cancellation.check()?;
            Ok(Projectors::new(basis, waves))
        });
        Ok(Self {
            kept: kept.into_iter().collect::<Result<_, DftError>>()?,
        })
    }

    /// Those at the k-point with this index; made in `spare` if they are not kept.
    pub(crate) fn at<'a>(
        &'a self,
        basis: &PlaneWaveBasis,
        k: usize,
        spare: &'a mut Projectors<S>,
    ) -> &'a Projectors<S> {
        match self.kept.get(k) {
            Some(kept) => kept,
            None => {
                spare.renew(basis, &basis.waves[k]);
                spare
            }
        }
    }

    /// What [`at`](Self::at) needs to spare: nothing where all are kept.
    pub(crate) fn spare(&self, basis: &PlaneWaveBasis) -> Projectors<S> {
        match self.kept.len() == basis.waves.len() {
            true => Projectors::NONE,
            false => Projectors::with_room(basis),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustfft::num_complex::Complex64;

    use super::*;
    use crate::{Atom, Cell, Discretisation, KMesh, Model, Occupations, pseudo::Pseudopotential};

    /// Identity: whether projectors are kept or made anew, they are the same bits.
    #[test]
    fn what_is_made_anew_is_what_is_kept() {
        let silicon = Arc::new(Pseudopotential::gth_pbe("Si".parse().unwrap()).unwrap());
        let model = Model {
            cell: Cell::new([[0.0, 5.1, 5.1], [5.1, 0.0, 5.1], [5.1, 5.1, 0.0]]).unwrap(),
            functional: silicon.functional(),
            species: vec![silicon],
            atoms: [[0.0; 3], [0.25; 3]]
                .map(|frac| Atom { species: 0, frac })
                .to_vec(),
            occupations: Occupations::Fixed,
        };
        let discretisation = Discretisation {
            ecut_ha: 3.0,
            ecut_density_ha: 12.0,
            k_mesh: KMesh::gamma_centred([3, 3, 3]),
            use_symmetry: true,
        };
        let basis = PlaneWaveBasis::new(Arc::new(model), discretisation).unwrap();
        let set = |most_bytes| {
            let (one, never) = (NonZeroUsize::MIN, Cancellation::NEVER);
            ProjectorSet::<Complex64>::new(&basis, most_bytes, one, never).unwrap()
        };
        let all = set(usize::MAX);
        assert_eq!(all.kept.len(), basis.waves.len());
        let columns: usize = projector_sides(&basis.model).into_iter().sum();
        let first = columns * basis.waves[0].len() * size_of::<Complex64>();
        let one = set(first);
        assert_eq!((one.kept.len(), set(first - 1).kept.len()), (1, 0));
        for (k, waves) in basis.waves.iter().enumerate() {
            let psi = vec![Complex64::new(0.3, -0.7); waves.len()];
            let projected = |set: &ProjectorSet<Complex64>, mut spare| {
                set.at(&basis, k, &mut spare).project(&psi)
            };
            let by_all = projected(&all, all.spare(&basis));
            assert_eq!(projected(&one, one.spare(&basis)), by_all);
            // In the place of another k-point's.
            assert_eq!(projected(&one, all.kept[2].clone()), by_all);
        }
    }
}
