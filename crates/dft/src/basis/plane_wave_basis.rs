//! A model on a finite set of plane waves and k-points.

use std::sync::Arc;

use super::{
    DensityGrid, Discretisation, KMesh, KPoint, TimeReversal, WaveBasis, WaveGrid,
    irreducible_k_points_unless,
    point_orbits::PointOrbits,
    set_up::{MOST_OPERATIONS, SetUp},
};
use crate::{
    DftError,
    cancellation::Cancellation,
    model::Model,
    symmetry::{
        AtomSymmetrizer, Symmetrizer, SymmetryOperation, image_of_atoms,
        space_group_operations_unless,
    },
};

/// A hair more than asked for, so that rounding never cuts a star of waves in two.
const CUTOFF_SLACK: f64 = 1.0 + 1e-10;
/// A coarser mesh is of use if it has fewer k-points by this factor.
const COARSE_SAVING: usize = 4;

/// A model on a finite set of plane waves and k-points.
#[derive(Debug, Clone)]
pub struct PlaneWaveBasis {
    pub(crate) model: Arc<Model>,
    pub(crate) discretisation: Discretisation,
    pub(crate) density_grid: DensityGrid,
    pub(crate) wave_grid: WaveGrid,
    pub(crate) waves: Vec<WaveBasis>,
    pub(crate) operations: Vec<SymmetryOperation>,
    /// The atom that inversion about the origin takes each atom to, where it is a symmetry: bands
    /// have real coefficients then. Elsewhere time reversal does that, if it leaves all k-points where they are.
    pub(crate) inversion: Option<Vec<usize>>,
    pub(crate) symmetrizer: Symmetrizer,
    pub(crate) atom_symmetrizer: AtomSymmetrizer,
    pub(crate) point_orbits: PointOrbits,
}

impl PlaneWaveBasis {
    /// Chooses plane waves, boxes and k-points, within the limits of [`SetUp::default`].
    ///
    /// # Errors
    /// As [`within`](Self::within).
    pub fn new(model: Arc<Model>, discretisation: Discretisation) -> Result<Self, DftError> {
        Self::within(model, discretisation, SetUp::default())
    }

    /// Chooses plane waves, boxes and k-points.
    ///
    /// # Errors
    /// What [`Model::validate`] finds, [`DftError::InvalidSetting`] for cutoffs or divisions out of
    /// range, [`DftError::TooLarge`] before any memory is taken, and [`DftError::Cancelled`].
    pub fn within(
        model: Arc<Model>,
        discretisation: Discretisation,
        set_up: SetUp<'_>,
    ) -> Result<Self, DftError> {
        model.validate()?;
        let Discretisation {
            ecut_ha,
            ecut_density_ha,
            k_mesh,
            use_symmetry,
        } = discretisation;
        if !(ecut_ha > 0.0 && ecut_ha < 1e4) {
            return Err(DftError::InvalidSetting {
                setting: "ecut_ha",
                found: ecut_ha.to_string(),
                expected: "a cutoff in hartree above 0 and below 10000",
            });
        }
        let enough = ecut_density_ha >= 4.0 * ecut_ha * (1.0 - 1e-9);
        if !(enough && ecut_density_ha < 1e5) {
            return Err(DftError::InvalidSetting {
                setting: "ecut_density_ha",
                found: ecut_density_ha.to_string(),
                expected: "a cutoff in hartree of at least 4 ecut_ha and below 100000",
            });
        }
        k_mesh.check()?;
        let cancellation = set_up.cancellation();
        cancellation.check()?;
        let mesh_points: f64 = k_mesh.divisions.map(f64::from).iter().product();
        set_up.check_memory(&model, &discretisation, mesh_points / MOST_OPERATIONS)?;
        let operations = if use_symmetry {
            let mut operations = space_group_operations_unless(cancellation, &model)?;
            operations.retain(|operation| k_mesh.is_invariant_under(operation));
            operations
        } else {
            vec![SymmetryOperation::identity()]
        };
        let k_points = irreducible_k_points_unless(cancellation, k_mesh, &operations)?;
        set_up.check_memory(&model, &discretisation, k_points.len() as f64)?;
        let slack = CUTOFF_SLACK;
        let density_grid = DensityGrid::new(model.cell, ecut_density_ha * slack, cancellation)?;
        cancellation.check()?;
        let wave_grid = WaveGrid::new(ecut_ha * slack, &density_grid);
        let (cell, ecut) = (&model.cell, ecut_ha * slack);
        let at = |k_point| WaveBasis::new(cell, k_point, ecut, &wave_grid, cancellation);
        let mut waves = k_points
            .into_iter()
            .map(at)
            .collect::<Result<Vec<_>, _>>()?;
        let inversion = operations.iter().find(|operation| operation.is_inversion());
        let inversion = inversion.and_then(|operation| image_of_atoms(&model, operation));
        if inversion.is_none() {
            reverse_time(&mut waves);
        }
        Ok(Self {
            inversion,
            symmetrizer: Symmetrizer::new(&density_grid, &operations, cancellation)?,
            atom_symmetrizer: AtomSymmetrizer::new(&model, &operations, cancellation)?,
            point_orbits: PointOrbits::new(density_grid.fft.dims(), &operations, cancellation)?,
            model,
            discretisation,
            density_grid,
            wave_grid,
            waves,
            operations,
        })
    }

    /// The same with about half as many k-points along each axis, where that saves most of the work.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn coarser(&self, cancellation: Cancellation<'_>) -> Result<Option<Self>, DftError> {
        let mesh = self.discretisation.k_mesh;
        let k_mesh = KMesh {
            divisions: mesh.divisions.map(|n| (n / 2).max(1)),
            ..mesh
        };
        let invariant = |operation: &SymmetryOperation| k_mesh.is_invariant_under(operation);
        if !self.operations.iter().all(invariant) {
            return Ok(None);
        }
        let k_points = irreducible_k_points_unless(cancellation, k_mesh, &self.operations)?;
        if k_points.len() * COARSE_SAVING > self.waves.len() {
            return Ok(None);
        }
        let discretisation = Discretisation {
            k_mesh,
            ..self.discretisation
        };
        Ok(Some(Self {
            discretisation,
            ..self.at_k_points(&k_points, cancellation)?
        }))
    }

    /// The same at other k-points.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn at_k_points(
        &self,
        k_points: &[KPoint],
        cancellation: Cancellation<'_>,
    ) -> Result<Self, DftError> {
        let mut waves = self.waves_at(k_points, cancellation)?;
        if self.inversion.is_none() {
            reverse_time(&mut waves);
        }
        Ok(Self {
            waves,
            discretisation: self.discretisation,
            model: Arc::clone(&self.model),
            density_grid: self.density_grid.clone(),
            wave_grid: self.wave_grid.clone(),
            operations: self.operations.clone(),
            inversion: self.inversion.clone(),
            symmetrizer: self.symmetrizer.clone(),
            atom_symmetrizer: self.atom_symmetrizer.clone(),
            point_orbits: self.point_orbits.clone(),
        })
    }

    /// The plane waves at other k-points.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn waves_at(
        &self,
        k_points: &[KPoint],
        cancellation: Cancellation<'_>,
    ) -> Result<Vec<WaveBasis>, DftError> {
        let ecut = self.discretisation.ecut_ha * CUTOFF_SLACK;
        let (cell, grid) = (&self.model.cell, &self.wave_grid);
        let at = |&k_point: &KPoint| WaveBasis::new(cell, k_point, ecut, grid, cancellation);
        k_points.iter().map(at).collect()
    }

    /// Whether nothing but time reversal makes the bands of all k-points real.
    pub(crate) fn is_real_by_time_reversal(&self) -> bool {
        self.waves.iter().all(|waves| waves.reversal.is_some())
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The choices that were made.
    pub fn discretisation(&self) -> Discretisation {
        self.discretisation
    }

    /// Irreducible k-points.
    pub fn k_points(&self) -> Vec<KPoint> {
        self.waves.iter().map(|wave| wave.k_point).collect()
    }

    /// Operations of the space group in use.
    pub fn symmetry_operations(&self) -> &[SymmetryOperation] {
        &self.operations
    }

    /// Sides of the box of the density.
    pub fn density_box(&self) -> [usize; 3] {
        self.density_grid.fft.dims()
    }

    /// The largest number of plane waves of the wavefunctions at a k-point.
    pub(crate) fn most_waves(&self) -> usize {
        let counts = self.waves.iter().map(WaveBasis::len);
        counts.max().unwrap_or(0)
    }

    /// Number of plane waves of the density.
    pub fn density_wave_count(&self) -> usize {
        self.density_grid.len()
    }
}

/// Pairs the waves of all k-points that time reversal leaves where they are, if that are all.
fn reverse_time(waves: &mut [WaveBasis]) {
    let of = |waves: &WaveBasis| TimeReversal::of(waves.k_point, &waves.miller);
    let reversals: Option<Vec<TimeReversal>> = waves.iter().map(of).collect();
    for (waves, reversal) in waves.iter_mut().zip(reversals.into_iter().flatten()) {
        waves.reversal = Some(reversal);
    }
}
