//! Structures per second of CPU time, one thread: CHGNet here, and the package chgnet in the same run
//! if a Python with it is named.
//!
//! `cargo run -p crystalgym-potential --example chgnet_speed -- PACKAGE_FOLDER [PYTHON]`
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::{error::Error, fs, path::Path, process::Command};

use crystalgym_crystal::{Element, Skeleton, Structure};
use crystalgym_potential::{Chgnet, InteratomicPotential, Request, model};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};

fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let time = getrusage(UsageWho::RUSAGE_SELF)?.user_time();
    Ok(time.tv_sec() as f64 + 1e-6 * time.tv_usec() as f64)
}

fn rate(
    chgnet: &Chgnet,
    structures: &[Structure],
    request: Request,
) -> Result<f64, Box<dyn Error>> {
    const REPEATS: usize = 20;
    for structure in structures {
        chgnet.evaluate(structure, request)?;
    }
    let start = cpu_seconds()?;
    for _ in 0..REPEATS {
        for structure in structures {
            chgnet.evaluate(structure, request)?;
        }
    }
    Ok((REPEATS * structures.len()) as f64 / (cpu_seconds()? - start))
}

/// Fillings of the benchmark's skeletons.
fn fillings() -> Result<Vec<Structure>, Box<dyn Error>> {
    let symbols = ["Li", "O", "Mn", "Sr", "Se", "Na", "Cl", "Ca", "N"];
    let elements: Vec<Element> = symbols
        .iter()
        .map(|symbol| symbol.parse())
        .collect::<Result<_, _>>()?;
    Ok(Skeleton::builtins()?
        .iter()
        .flat_map(|skeleton| {
            let elements = &elements;
            (0..3).map(move |shift| Structure {
                lattice: skeleton.lattice,
                elements: (0..skeleton.frac_coords.len())
                    .map(|site| elements[(site + shift) % elements.len()])
                    .collect(),
                frac_coords: skeleton.frac_coords.clone(),
            })
        })
        .collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let package = arguments.first().ok_or("name the folder of the package")?;
    let folder = tempfile::tempdir()?;
    model::install_chgnet(Some(Path::new(package)), folder.path())?;
    let chgnet = Chgnet::new(&model::load_chgnet(folder.path())?)?;
    let structures = fillings()?;
    let sizes = structures
        .iter()
        .map(Chgnet::graph_size)
        .collect::<Result<Vec<_>, _>>()?;
    let mean = |k: usize| sizes.iter().map(|size| size[k]).sum::<usize>() / sizes.len();
    println!(
        "{} crystals, {} bonds and {} angles on average",
        sizes.len(),
        mean(0),
        mean(1)
    );
    let energy = rate(&chgnet, &structures, Request::Energy)?;
    let derivatives = rate(&chgnet, &structures, Request::Derivatives)?;
    println!("here: {energy:.0}/s energy and features, {derivatives:.0}/s with forces and stress");
    if let Some(python) = arguments.get(1) {
        let paths = ["structures.json", "rates.json"].map(|name| folder.path().join(name));
        let inputs: Vec<Value> = structures
            .iter()
            .map(|crystal| {
                let species: Vec<_> = crystal.elements.iter().map(|e| e.symbol()).collect();
                json!({
                    "lattice": crystal.lattice.vectors(),
                    "species": species,
                    "coords": crystal.frac_coords,
                })
            })
            .collect();
        fs::write(&paths[0], serde_json::to_string(&inputs)?)?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/chgnet_speed.py");
        if !Command::new(python)
            .arg(script)
            .args(&paths)
            .status()?
            .success()
        {
            return Err("the package did not run".into());
        }
        let rates: Value = serde_json::from_str(&fs::read_to_string(&paths[1])?)?;
        for (name, here) in [
            ("energy", energy),
            ("energy_batched", energy),
            ("derivatives", derivatives),
            ("derivatives_batched", derivatives),
        ] {
            let there = rates[name].as_f64().ok_or("no rate")?;
            println!(
                "package, {name}: {there:.1}/s; here {:.1} times as many",
                here / there
            );
        }
    }
    Ok(())
}
