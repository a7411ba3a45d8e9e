//! Where the time of one band gap goes, iteration by iteration.
//!
//! `cargo bench -p crystalgym-dft --bench self_consistent_field -- [crystal] [potentials] [ecutwfc_ry]
//! [mesh] [conv_thr_ry] [threads]`, by default `C6:Na-Cl-F-Li sssp 50 1000 1e-6 1`. The crystal is a filling
//! or the file of a structure, the mesh k-points per reciprocal atom or `2x2x2`. The potentials
//! are `gth`, or `sssp` (density cutoff eight times the other) where the data folder is at hand.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::{env, num::NonZeroUsize, path::Path, sync::Arc, time::Instant};

use crystalgym_crystal::{Crystal, Element, Skeleton, Structure, automatic_density};
use crystalgym_dft::{
    Atom, BOHR_ANG, BandEdges, Cell, Discretisation, HARTREE_EV, KMesh, Model, Occupations,
    PlaneWaveBasis, ScfControl, ScfIteration, ScfOptions, pseudo::Pseudopotential,
    self_consistent_field,
};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|a| a != "--bench").collect();
    let argument = |index: usize, default: &str| {
        arguments
            .get(index)
            .map_or_else(|| default.to_owned(), String::clone)
    };
    let number = |index: usize, default: &str| -> f64 { argument(index, default).parse().unwrap() };
    let crystal = argument(0, "C6:Na-Cl-F-Li");
    let potentials = argument(1, "sssp");
    let ecutwfc_ry = number(2, "50");
    let mesh = argument(3, "1000");
    let convergence_ry = number(4, "1e-6");
    let threads = number(5, "1") as usize;

    let started = Instant::now();
    let structure = match crystal.split_once(':') {
        Some((skeleton, symbols)) => {
            let filling: Vec<Element> = symbols.split('-').map(|s| s.parse().unwrap()).collect();
            let skeleton = Skeleton::builtin(skeleton).unwrap();
            Crystal::new(skeleton, filling).unwrap().structure()
        }
        None => Structure::from_file(Path::new(&crystal)).unwrap(),
    };
    let mut elements = structure.elements.clone();
    elements.sort_unstable();
    elements.dedup();
    let sssp = (potentials == "sssp")
        .then(|| crystalgym_testing::shared_data("data/sssp-1.3.0-pbe-efficiency"))
        .flatten();
    let species: Vec<Arc<Pseudopotential>> = elements
        .iter()
        .map(|&element| match &sssp {
            Some(folder) => {
                let file = folder.join(format!("{}.upf", element.symbol()));
                Arc::new(Pseudopotential::from_upf_file(&file).unwrap())
            }
            None => Arc::new(Pseudopotential::gth_pbe(element).unwrap()),
        })
        .collect();
    let vectors = structure.lattice.vectors();
    let atoms = structure.elements.iter().zip(&structure.frac_coords);
    let model = Model {
        cell: Cell::new(vectors.map(|row| row.map(|x| x / BOHR_ANG))).unwrap(),
        functional: species[0].functional(),
        atoms: atoms
            .map(|(element, &frac)| Atom {
                species: elements.partition_point(|kind| kind < element),
                frac,
            })
            .collect(),
        species,
        occupations: Occupations::Fixed,
    };
    let divisions: Vec<u32> = mesh.split('x').filter_map(|n| n.parse().ok()).collect();
    let k_mesh = KMesh::gamma_centred(match divisions[..] {
        [a, b, c] => [a, b, c],
        _ => automatic_density(
            &structure.lattice,
            structure.elements.len(),
            mesh.parse().unwrap(),
        ),
    });
    println!("files {:.2} s", started.elapsed().as_secs_f64());

    // The second run finds the tables of the potentials made.
    for _ in 0..2 {
        let started = Instant::now();
        let discretisation = Discretisation {
            ecut_ha: 0.5 * ecutwfc_ry,
            ecut_density_ha: 0.5 * ecutwfc_ry * if sssp.is_some() { 8.0 } else { 4.0 },
            k_mesh,
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
        for i in &result.preparation {
            println!(
                "    coarse mesh: error {:.1e} Ry, {} applications",
                2.0 * i.estimated_error_ha,
                i.hamiltonian_applications
            );
        }
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
