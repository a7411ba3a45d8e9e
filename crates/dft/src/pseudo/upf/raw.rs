//! What both layouts hold, in the file's units (rydberg).

use crystalgym_crystal::Element;

use crate::{
    pseudo::{
        radial::{RadialMesh, erf},
        table_cache::TableCache,
        types::{
            Augmentation, AugmentationFunction, OrbitalInfo, PawData, Pseudopotential,
            PseudopotentialKind, RadialFunctions, Source,
        },
    },
    xc::Functional,
};

/// Largest angular momentum of projectors and orbitals.
pub(super) const L_LIMIT: usize = 3;

pub(super) struct RawPotential {
    pub(super) element: Element,
    pub(super) kind: PseudopotentialKind,
    pub(super) functional: Functional,
    pub(super) z_valence: f64,
    pub(super) mesh: RadialMesh,
    pub(super) local_ry: Vec<f64>,
    pub(super) core_density: Option<Vec<f64>>,
    pub(super) projectors: Vec<RawProjector>,
    /// D_ij, n × n.
    pub(super) coupling_ry: Vec<f64>,
    pub(super) augmentation: Option<RawAugmentation>,
    pub(super) orbitals: Vec<(OrbitalInfo, Vec<f64>)>,
    pub(super) atomic_density: Vec<f64>,
    pub(super) is_spin_orbit_average: bool,
    /// Energies still in rydberg.
    pub(super) paw: Option<PawData>,
}

pub(super) struct RawProjector {
    pub(super) l: usize,
    /// r β(r), padded with zeros to the mesh.
    pub(super) values: Vec<f64>,
    /// Number of points up to the cutoff radius.
    pub(super) points: usize,
}

pub(super) struct RawAugmentation {
    /// ∫ Q_ij, n × n.
    pub(super) charges: Vec<f64>,
    /// Radial parts, on the mesh.
    pub(super) functions: Vec<AugmentationFunction>,
}

impl RawPotential {
    /// The one place where rydberg becomes hartree.
    pub(super) fn into_pseudopotential(self) -> Pseudopotential {
        const HARTREE_PER_RYDBERG: f64 = 0.5;
        let to_hartree = |values: Vec<f64>| -> Vec<f64> {
            values
                .into_iter()
                .map(|v| v * HARTREE_PER_RYDBERG)
                .collect()
        };
        let paw = self.paw.map(|paw| PawData {
            local: to_hartree(paw.local),
            core_energy: paw.core_energy * HARTREE_PER_RYDBERG,
            ..paw
        });
        let points = self.projectors.iter().map(|projector| projector.points);
        // PAW augmentation charges may reach a little further than the projectors.
        let projector_points = points
            .chain(paw.as_ref().map(|paw| paw.augmentation_points))
            .max()
            .unwrap_or(0);
        let augmentation = self.augmentation.map(|mut raw| {
            raw.functions.sort_by_key(|f| (f.i, f.j, f.l));
            Augmentation {
                l_max: raw.functions.iter().map(|f| f.l).max().unwrap_or(0),
                charges: raw.charges,
                functions: raw.functions,
            }
        });
        let projector_l = self
            .projectors
            .iter()
            .map(|projector| projector.l)
            .collect();
        let (orbitals, orbital_values) = self.orbitals.into_iter().unzip();
        let has_core_charge = self.core_density.is_some();
        let local = to_hartree(self.local_ry);
        let short_range_local = (self.mesh.r.iter().zip(&local))
            .map(|(&r, local)| r * local + self.z_valence * erf(r))
            .collect();
        Pseudopotential {
            element: self.element,
            kind: self.kind,
            functional: self.functional,
            z_valence: self.z_valence,
            projector_l,
            coupling: to_hartree(self.coupling_ry),
            orbitals,
            has_core_charge,
            is_spin_orbit_average: self.is_spin_orbit_average,
            tables: TableCache::default(),
            source: Source::Tabulated(Box::new(RadialFunctions {
                mesh: self.mesh,
                local,
                short_range_local,
                projectors: self.projectors.into_iter().map(|p| p.values).collect(),
                projector_points,
                orbitals: orbital_values,
                atomic_density: self.atomic_density,
                core_density: self.core_density,
                augmentation,
                paw,
            })),
        }
    }
}
