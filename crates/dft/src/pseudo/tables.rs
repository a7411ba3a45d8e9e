//! The form factors of a pseudopotential as tables.

use std::sync::Arc;

use super::{
    radial_table::{Integrand, RadialTable},
    table_cache::{WaveTables, found_or_made},
    types::Pseudopotential,
};

impl WaveTables {
    /// Tabulates up to `q_max` (of |k + G|) in bohr⁻¹.
    pub fn new(potential: &Pseudopotential, q_max: f64) -> Self {
        let Some(f) = potential.radial_functions() else {
            return Self {
                projectors: (0..potential.projector_count())
                    .map(|i| RadialTable::new(q_max, |q| potential.projector(i, q)))
                    .collect(),
                orbitals: (0..potential.orbitals().len())
                    .map(|i| RadialTable::new(q_max, |q| potential.orbital(i, q)))
                    .collect(),
            };
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
        let mut projectors = RadialTable::of_radial_functions(&f.mesh, q_max, &functions);
        let orbitals = projectors.split_off(potential.projector_count());
        Self {
            projectors,
            orbitals,
        }
    }
}

/// Q^L_ij(q) up to `q_max` (of |G|) in bohr⁻¹ for each augmentation function; empty without any.
pub fn augmentation_tables(potential: &Pseudopotential, q_max: f64) -> Vec<RadialTable> {
    let Some(f) = potential.radial_functions() else {
        return Vec::new();
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
    RadialTable::of_radial_functions(&f.mesh, q_max, &charges)
}

impl Pseudopotential {
    /// The tables of projectors and orbitals up to at least `q_max` in bohr⁻¹; computed once and
    /// kept. Their values do not depend on how far they reach.
    pub fn wave_tables(&self, q_max: f64) -> Arc<WaveTables> {
        found_or_made(&self.tables.wave, q_max, |reach| {
            WaveTables::new(self, reach)
        })
    }

    /// The tables of augmentation charges, likewise.
    pub fn augmentation_tables(&self, q_max: f64) -> Arc<Vec<RadialTable>> {
        let cached = &self.tables.augmentation;
        found_or_made(cached, q_max, |reach| augmentation_tables(self, reach))
    }
}
