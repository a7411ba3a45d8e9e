//! The form factors of a pseudopotential as tables.

use std::{convert::Infallible, sync::Arc};

use super::{
    radial_table::{Integrand, RadialTable},
    table_cache::{WaveTables, found_or_made},
    types::Pseudopotential,
};
use crate::{DftError, cancellation::Cancellation};

impl WaveTables {
    /// Tabulates up to `q_max` (of |k + G|) in bohr⁻¹.
    pub fn new(potential: &Pseudopotential, q_max: f64) -> Self {
        let Ok(tables) = Self::new_if(potential, q_max, unhindered);
        tables
    }

    /// As [`Self::new`], as long as `spend` lets the work go on.
    fn new_if<E>(
        potential: &Pseudopotential,
        q_max: f64,
        spend: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<Self, E> {
        let Some(f) = potential.radial_functions() else {
            return Ok(Self {
                projectors: (0..potential.projector_count())
                    .map(|i| RadialTable::new(q_max, |q| potential.projector(i, q)))
                    .collect(),
                orbitals: (0..potential.orbitals().len())
                    .map(|i| RadialTable::new(q_max, |q| potential.orbital(i, q)))
                    .collect(),
            });
        };
        let projectors = f.projectors.iter().zip(potential.projector_l());
        let mut functions: Vec<Integrand<'_>> = projectors
            .map(|(values, &l)| Integrand {
                values,
                power: 1,
                l,
                points: f.projector_points,
            })
            .collect();
        let orbitals = f.orbitals.iter().zip(potential.orbitals());
        functions.extend(orbitals.map(|(values, orbital)| Integrand {
            values,
            power: 1,
            l: orbital.l,
            points: f.mesh.integration_points(),
        }));
        let mut projectors = RadialTable::of_radial_functions(&f.mesh, q_max, &functions, spend)?;
        let orbitals = projectors.split_off(potential.projector_count());
        Ok(Self {
            projectors,
            orbitals,
        })
    }
}

/// For work that nobody ends.
fn unhindered(_: usize) -> Result<(), Infallible> {
    Ok(())
}

/// Q^L_ij(q) up to `q_max` (of |G|) in bohr⁻¹ for each augmentation function; empty without any.
pub fn augmentation_tables(potential: &Pseudopotential, q_max: f64) -> Vec<RadialTable> {
    let Ok(tables) = augmentation_tables_if(potential, q_max, unhindered);
    tables
}

/// As [`augmentation_tables`], as long as `spend` lets the work go on.
fn augmentation_tables_if<E>(
    potential: &Pseudopotential,
    q_max: f64,
    spend: impl FnMut(usize) -> Result<(), E>,
) -> Result<Vec<RadialTable>, E> {
    let Some(f) = potential.radial_functions() else {
        return Ok(Vec::new());
    };
    let charges: Vec<Integrand<'_>> = f
        .augmentation
        .iter()
        .flat_map(|augmentation| &augmentation.functions)
        .map(|function| Integrand {
            values: &function.values,
            power: 2,
            l: function.l,
            points: f.projector_points,
        })
        .collect();
    RadialTable::of_radial_functions(&f.mesh, q_max, &charges, spend)
}

impl Pseudopotential {
    /// The tables of projectors and orbitals up to at least `q_max` in bohr⁻¹; computed once and
    /// kept. Their values do not depend on how far they reach.
    pub fn wave_tables(&self, q_max: f64) -> Arc<WaveTables> {
        let Ok(tables) = found_or_made(&self.tables.wave, q_max, |reach| {
            WaveTables::new_if(self, reach, unhindered)
        });
        tables
    }

    /// As [`Self::wave_tables`], unless it is cancelled.
    pub(crate) fn wave_tables_unless(
        &self,
        cancellation: Cancellation<'_>,
        q_max: f64,
    ) -> Result<Arc<WaveTables>, DftError> {
        let mut pace = cancellation.pace();
        found_or_made(&self.tables.wave, q_max, |reach| {
            WaveTables::new_if(self, reach, |steps| pace.spend(steps))
        })
    }

    /// The tables of augmentation charges, likewise.
    pub fn augmentation_tables(&self, q_max: f64) -> Arc<Vec<RadialTable>> {
        let cached = &self.tables.augmentation;
        let Ok(tables) = found_or_made(cached, q_max, |reach| {
            augmentation_tables_if(self, reach, unhindered)
        });
        tables
    }

    /// As [`Self::augmentation_tables`], unless it is cancelled.
    pub(crate) fn augmentation_tables_unless(
        &self,
        cancellation: Cancellation<'_>,
        q_max: f64,
    ) -> Result<Arc<Vec<RadialTable>>, DftError> {
        let (cached, mut pace) = (&self.tables.augmentation, cancellation.pace());
        found_or_made(cached, q_max, |reach| {
            augmentation_tables_if(self, reach, |steps| pace.spend(steps))
        })
    }
}
