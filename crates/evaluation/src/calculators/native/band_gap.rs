//! The band gap: on the mesh of the density, or from bands of their own.

use crystalgym_dft::{
    BandEdges, BandOptions, Cancellation, HARTREE_EV, KMesh, MeshBands, Occupations,
};

use super::{
    computation::{Computation, Scale, Solved},
    gap_settings::GapKind,
};
use crate::{
    ElectronicError, Failure, FailureCode, GapEdges, Values,
    electronic::{BandStructure, dense_divisions},
};

impl Computation<'_> {
    pub(super) fn band_gap(&mut self) -> Result<Values, Failure> {
        let ingredients = self.ingredients()?;
        let convergence_ry = self.convergence_ry(self.settings.convergence_ry);
        let occupations = Occupations::Fixed;
        let solved = self.solve(
            Scale::GIVEN,
            &ingredients,
            occupations,
            convergence_ry,
            None,
        )?;
        if self.settings.gap.kind == GapKind::Path {
            let edges = self.edges_beyond_the_mesh(&solved)?;
            return Ok(Values {
                value: edges.gap_ev(),
                homo_ev: Some(edges.valence.energy_ev),
                lumo_ev: Some(edges.conduction.energy_ev),
                gap_edges: Some(Box::new(edges)),
                ..solved.values()
            });
        }
        let edges = BandEdges::of(&solved.result).ok_or_else(no_edges)?;
        Ok(Values {
            value: edges.gap_ha() * HARTREE_EV,
            homo_ev: Some(edges.homo_ha * HARTREE_EV),
            lumo_ev: Some(edges.lumo_ha * HARTREE_EV),
            ..solved.values()
        })
    }

    /// The edges among the levels along the path and on the dense mesh.
    fn edges_beyond_the_mesh(&self, solved: &Solved) -> Result<GapEdges, Failure> {
        let (basis, result) = (&solved.basis, &solved.result);
        let settings = &self.settings.gap;
        let is_cancelled = self.is_cancelled();
        let options = BandOptions {
            bands: Some((basis.model().electron_count() / 2.0).round() as usize + 1),
            threads: self.settings.threads,
            cancellation: Cancellation::by(&is_cancelled),
        };
        let structure = self.structure()?;
        let failed = |error| match error {
            ElectronicError::Engine(error) => self.invalid(error),
            ElectronicError::Path(error) => {
                Failure::new(FailureCode::BadGeometry, error.to_string())
            }
        };
        let along = BandStructure::of(
            &structure,
            basis,
            result,
            settings.path_spacing_per_ang,
            options,
        )
        .map_err(failed)?;
        let k_mesh = dense_divisions(&structure.lattice, settings.mesh_spacing_per_ang);
        let mesh = MeshBands::of(basis, result, KMesh::gamma_centred(k_mesh), options)
            .map_err(|error| failed(error.into()))?;
        let in_ev: Vec<Vec<f64>> = (mesh.energies_ha.iter())
            .map(|levels| levels.iter().map(|level| level * HARTREE_EV).collect())
            .collect();
        let on_path = along.points.iter().zip(&along.energies_ev);
        let on_path = on_path.map(|(point, energies)| (point.k_frac, point.label, &energies[..]));
        let on_mesh = mesh.k_points.iter().zip(&in_ev);
        let on_mesh = on_mesh.map(|(k, energies)| (k.frac, None, &energies[..]));
        let edges = GapEdges::among(on_path.chain(on_mesh), along.electrons);
        Ok(GapEdges {
            k_mesh: Some(k_mesh),
            ..edges.ok_or_else(no_edges)?
        })
    }
}

fn no_edges() -> Failure {
    Failure::new(FailureCode::NoBandEdges, "no empty band was computed")
}
