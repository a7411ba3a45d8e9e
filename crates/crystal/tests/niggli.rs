//! Niggli reduction of skewed cells whose components are rounded, as files have them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use crystalgym_crystal::{Lattice, niggli_reduce};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

const CELLS: usize = 20_000;

/// Cells of all kinds on vectors far from the shortest, to 5 or 6 decimals.
fn skewed_cells(seed: u64, count: usize) -> Vec<Lattice> {
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut cells = Vec::new();
    while cells.len() < count {
        let [a, b, c] = std::array::from_fn(|_| rng.random_range(2.0..12.0));
        let angles = std::array::from_fn(|_| rng.random_range(55.0..125.0));
        let (lengths, angles) = match rng.random_range(0..7) {
            0 => ([a; 3], [90.0; 3]),
            1 => ([a; 3], [60.0; 3]),
            2 => ([a; 3], [109.471_220_634_49; 3]),
            3 => ([a, a, c], [90.0, 90.0, 120.0]),
            4 => ([a, b, c], [90.0; 3]),
            5 => ([a; 3], [angles[0]; 3]),
            _ => ([a, b, c], angles),
        };
        let Ok(base) = Lattice::from_parameters(lengths, angles) else {
            continue;
        };
        if base.volume() < 0.1 * lengths.iter().product::<f64>() {
            continue;
        }
        let mut vectors = base.vectors();
        for _ in 0..rng.random_range(2..8) {
            let (i, j) = (rng.random_range(0..3), rng.random_range(0..3));
            let times = f64::from(rng.random_range(-2..=2));
            if i != j {
                vectors[i] = std::array::from_fn(|x| vectors[i][x] + times * vectors[j][x]);
            }
        }
        let unit: f64 = if rng.random() { 1e5 } else { 1e6 };
        let rounded = vectors.map(|v| v.map(|x| (x * unit).round() / unit));
        cells.extend(Lattice::new(rounded));
    }
    cells
}

/// Lengths of the three shortest vectors that are independent, among sums of the basis with factors
/// up to 3.
fn successive_minima(lattice: &Lattice) -> [f64; 3] {
    let mut vectors: Vec<([f64; 3], f64)> = (0..343)
        .filter(|&n| n != 171)
        .map(|n| {
            let factors = [n % 7, n / 7 % 7, n / 49].map(|i| f64::from(i - 3));
            let v = lattice.to_cart(factors);
            (v, v.iter().map(|x| x * x).sum::<f64>().sqrt())
        })
        .collect();
    vectors.sort_by(|x, y| x.1.total_cmp(&y.1));
    let mut chosen: Vec<([f64; 3], f64)> = Vec::new();
    let cross = |u: [f64; 3], v: [f64; 3]| {
        [
            u[1] * v[2] - u[2] * v[1],
            u[2] * v[0] - u[0] * v[2],
            u[0] * v[1] - u[1] * v[0],
        ]
    };
    let dot = |u: [f64; 3], v: [f64; 3]| u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
    for (v, length) in vectors {
        let is_new = match chosen.as_slice() {
            [] => true,
            [(u, _)] => dot(cross(*u, v), cross(*u, v)) > 1e-6,
            [(u, _), (w, _)] => dot(cross(*u, *w), v).abs() > 1e-6,
            _ => break,
        };
        if is_new {
            chosen.push((v, length));
        }
    }
    std::array::from_fn(|i| chosen[i].1)
}

/// Definition: a Niggli cell has the successive minima of the lattice as its lengths, and its angles
/// are all acute or none is.
#[test]
fn rounded_cells_are_reduced() {
    let named = [
        [14.031875, 4.595078, -1.783516],
        [3.213856, 1.572524, 4.141872],
        [24.064762, 6.646863, -28.429134],
    ];
    let mut cells = skewed_cells(1, CELLS);
    cells.push(Lattice::new(named).unwrap());
    for lattice in cells {
        let (reduced, transformation) = niggli_reduce(&lattice).unwrap();
        let product: [[f64; 3]; 3] = std::array::from_fn(|i| {
            lattice.to_cart(std::array::from_fn(|k| f64::from(transformation[k][i])))
        });
        for (x, y) in product
            .iter()
            .flatten()
            .zip(reduced.vectors().iter().flatten())
        {
            assert!((x - y).abs() < 1e-9, "{lattice:?}");
        }
        assert!(
            (reduced.volume() / lattice.volume() - 1.0).abs() < 1e-9,
            "{lattice:?}"
        );
        let length = lattice.volume().cbrt();
        for (x, y) in reduced.lengths().iter().zip(successive_minima(&reduced)) {
            assert!((x - y).abs() < 1e-4 * length, "{lattice:?}: {reduced:?}");
        }
        let angles = reduced.angles();
        let acute = angles.iter().all(|angle| *angle < 90.01);
        let obtuse = angles.iter().all(|angle| *angle > 89.99);
        assert!(acute || obtuse, "{lattice:?}: {angles:?}");
    }
}

/// Oracle: spglib on the same cells. Where one of its comparisons or ours is met just so, either may
/// take the other of two cells that are alike within the tolerance.
#[test]
fn spglib_finds_the_same_cells() {
    let Some(python) = crystalgym_testing::python_with(&["spglib"]) else {
        return;
    };
    let cells = skewed_cells(2, CELLS);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/niggli.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let vectors: Vec<_> = cells.iter().map(Lattice::vectors).collect();
    let input = serde_json::to_vec(&vectors).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let theirs: Vec<Option<[[f64; 3]; 3]>> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(theirs.len(), cells.len());
    let (mut compared, mut other_angles) = (0, 0);
    for (lattice, theirs) in cells.iter().zip(theirs) {
        let Some(theirs) = theirs.and_then(|vectors| Lattice::new(vectors).ok()) else {
            continue;
        };
        let (ours, _) = niggli_reduce(lattice).unwrap();
        compared += 1;
        let length = lattice.volume().cbrt();
        for (x, y) in ours.lengths().iter().zip(theirs.lengths()) {
            assert!(
                (x - y).abs() < 1e-4 * length,
                "{lattice:?}: {ours:?} {theirs:?}"
            );
        }
        let differ = ours
            .angles()
            .iter()
            .zip(theirs.angles())
            .any(|(x, y)| (x - y).abs() > 0.01);
        other_angles += usize::from(differ);
    }
    println!("{compared} compared, {other_angles} with other angles");
    assert!(compared > CELLS * 99 / 100, "{compared}");
    assert!(other_angles < CELLS / 1000, "{other_angles}");
}
