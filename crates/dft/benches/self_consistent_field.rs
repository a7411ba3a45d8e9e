//! Where the time of one band gap goes: C6 filled with Li, Cl, F and Na at 50/400 Ry.
//!
//! `cargo bench -p crystalgym-dft --bench self_consistent_field -- [divisions] [conv_thr_ry] [threads]`
//! with SSSP where the data folder is at hand, else with the built-in GTH potentials.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::{env, num::NonZeroUsize, sync::Arc, time::Instant};

use crystalgym_dft::{
    Atom, BOHR_ANG, BandEdges, Cell, Discretisation, HARTREE_EV, KMesh, Model, Occupations,
    PlaneWaveBasis, ScfControl, ScfIteration, ScfOptions, pseudo::Pseudopotential,
    self_consistent_field,
};

fn main() {
    let numbers: Vec<f64> = env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let divisions = numbers.first().map_or(6, |n| *n as u32);
    let convergence_ry = numbers.get(1).copied().unwrap_or(1e-6);
    let threads = numbers.get(2).map_or(1, |n| *n as usize);

    let started = Instant::now();
    let sssp = crystalgym_testing::shared_data("data/sssp-1.3.0-pbe-efficiency");
    let species = ["Li", "Cl", "F", "Na"].map(|symbol| {
        Arc::new(
            match &sssp {
                Some(folder) => {
                    Pseudopotential::from_upf_file(&folder.join(format!("{symbol}.upf")))
                }
                None => Pseudopotential::gth_pbe(symbol.parse().unwrap()),
            }
            .unwrap(),
        )
    });
    let h = 5.169_298_71 / 3f64.sqrt() / BOHR_ANG;
    let sites = [[0.0; 3], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]];
    let model = Model {
        cell: Cell::new([[-h, h, h], [h, -h, h], [h, h, -h]]).unwrap(),
        functional: species[0].functional(),
        atoms: (0..4)
            .map(|i| Atom {
                species: i,
                frac: sites[i],
            })
            .collect(),
        species: species.to_vec(),
        occupations: Occupations::Fixed,
    };
    println!("files {:.2} s", started.elapsed().as_secs_f64());

    // The second run finds the tables of the potentials made.
    for _ in 0..2 {
        let started = Instant::now();
        let discretisation = Discretisation {
            ecut_ha: 25.0,
            ecut_density_ha: 200.0,
            k_mesh: KMesh::gamma_centred([divisions; 3]),
            use_symmetry: true,
        };
        let basis = PlaneWaveBasis::new(Arc::new(model.clone()), discretisation).unwrap();
        println!(
            "basis {:.2} s: {} k-points, box {:?}, {} plane waves of the density",
            started.elapsed().as_secs_f64(),
            basis.k_points().len(),
            basis.density_box(),
            basis.density_wave_count(),
        );
        let mut progress = |i: &ScfIteration| {
            println!(
                "{:3} {:8.2} s {:14.8} Ry, error {:.1e} Ry, {} applications, {} bands short",
                i.number,
                started.elapsed().as_secs_f64(),
                2.0 * i.total_energy_ha,
                2.0 * i.estimated_error_ha,
                i.hamiltonian_applications,
                i.unconverged_bands,
            );
        };
        let control = ScfControl {
            progress: Some(&mut progress),
            ..ScfControl::default()
        };
        let options = ScfOptions {
            convergence_ha: 0.5 * convergence_ry,
            threads: NonZeroUsize::new(threads).unwrap(),
            ..ScfOptions::default()
        };
        let result = self_consistent_field(&basis, &options, control).unwrap();
        let edges = BandEdges::of(&result).unwrap();
        let applications = result.history.iter().map(|i| i.hamiltonian_applications);
        println!(
            "{:?}: {:.8} Ry, HOMO {:.4} eV, LUMO {:.4} eV, {} applications of H, {:.2} s",
            result.end,
            2.0 * result.total_energy_ha(),
            edges.homo_ha * HARTREE_EV,
            edges.lumo_ha * HARTREE_EV,
            applications.sum::<usize>(),
            started.elapsed().as_secs_f64(),
        );
    }
}
