//! Total energy and band edges of silicon in the diamond structure.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::{error::Error, sync::Arc};

use crystalgym_dft::{
    Atom, BOHR_ANG, BandEdges, Cell, Discretisation, HARTREE_EV, KMesh, Model, Occupations,
    PlaneWaveBasis, ScfControl, ScfOptions, pseudo::Pseudopotential, self_consistent_field,
};

fn main() -> Result<(), Box<dyn Error>> {
    let silicon = Pseudopotential::gth_pbe("Si".parse()?)?;
    let h = 5.43 / BOHR_ANG / 2.0;
    let model = Model {
        cell: Cell::new([[0.0, h, h], [h, 0.0, h], [h, h, 0.0]])?,
        functional: silicon.functional(),
        species: vec![Arc::new(silicon)],
        atoms: [[0.0; 3], [0.25; 3]]
            .map(|frac| Atom { species: 0, frac })
            .to_vec(),
        occupations: Occupations::Fixed,
    };
    let discretisation = Discretisation {
        ecut_ha: 15.0,
        ecut_density_ha: 60.0,
        k_mesh: KMesh::gamma_centred([4; 3]),
        use_symmetry: true,
    };
    let basis = PlaneWaveBasis::new(Arc::new(model), discretisation)?;
    println!(
        "{} operations, {} k-points, box {:?}",
        basis.symmetry_operations().len(),
        basis.k_points().len(),
        basis.density_box()
    );
    let mut report = |iteration: &crystalgym_dft::ScfIteration| {
        println!(
            "{:3} {:16.10} Ha  error {:.1e}  {} applications",
            iteration.number,
            iteration.total_energy_ha,
            iteration.estimated_error_ha,
            iteration.hamiltonian_applications
        );
    };
    let control = ScfControl {
        progress: Some(&mut report),
        ..ScfControl::default()
    };
    let options = ScfOptions {
        convergence_ha: 1e-9,
        ..ScfOptions::default()
    };
    let result = self_consistent_field(&basis, &options, control)?;
    println!("{:?}: {:#?}", result.end, result.energies);
    if let Some(edges) = BandEdges::of(&result) {
        println!("band gap on the mesh {:.4} eV", edges.gap_ha() * HARTREE_EV);
    }
    Ok(())
}
