//! A crystal is one crystal however it is written down: random crystals of all 230 space groups in
//! random writings, and crystals that differ.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::collections::HashSet;

use crystalgym_crystal::{
    CanonicalCrystal, Crystal, Element, Lattice, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure,
};
use moyo::data::{Setting, operations_from_number};

/// SplitMix64 (Steele, Lea, Flood 2014): reproducible, and no more is needed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    fn below(&mut self, bound: u64) -> usize {
        (self.next() % bound) as usize
    }

    fn vector(&mut self, size: f64) -> [f64; 3] {
        std::array::from_fn(|_| self.within(-size, size))
    }
}

type Matrix = [[f64; 3]; 3];

fn product(a: Matrix, b: Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

fn row_times(x: [f64; 3], a: Matrix) -> [f64; 3] {
    std::array::from_fn(|j| (0..3).map(|k| x[k] * a[k][j]).sum())
}

fn determinant(a: Matrix) -> f64 {
    let [u, v, w] = a;
    u[0] * (v[1] * w[2] - v[2] * w[1]) - u[1] * (v[0] * w[2] - v[2] * w[0])
        + u[2] * (v[0] * w[1] - v[1] * w[0])
}

fn inverse(a: Matrix) -> Matrix {
    let d = determinant(a);
    std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let (p, q, r, s) = ((j + 1) % 3, (j + 2) % 3, (i + 1) % 3, (i + 2) % 3);
            (a[p][r] * a[q][s] - a[p][s] * a[q][r]) / d
        })
    })
}

/// A crystal of a space group, in its conventional cell: a metric averaged over the group's
/// rotations, and up to three orbits of points, special ones among them.
fn random_crystal(number: i32, random: &mut Random) -> Structure {
    let operations = operations_from_number(number, Setting::Standard, false).unwrap();
    let operations: Vec<(Matrix, [f64; 3])> = operations
        .iter()
        .map(|operation| {
            let rotation = operation.rotation_as_array().map(|row| row.map(f64::from));
            (rotation, operation.translation_as_array())
        })
        .collect();
    let lengths: [f64; 3] = std::array::from_fn(|_| random.within(4.5, 8.0));
    let angles: [f64; 3] = std::array::from_fn(|_| random.within(75.0, 115.0));
    let metric = Lattice::from_parameters(lengths, angles).unwrap().metric();
    let mut mean = [[0.0; 3]; 3];
    for (w, _) in &operations {
        let transposed: Matrix = std::array::from_fn(|i| std::array::from_fn(|j| w[j][i]));
        let turned = product(transposed, product(metric, *w));
        for (row, turned) in mean.iter_mut().zip(turned) {
            for (sum, x) in row.iter_mut().zip(turned) {
                *sum += x / operations.len() as f64;
            }
        }
    }
    let length = |i: usize| mean[i][i].sqrt();
    let angle = |i: usize, j: usize| (mean[i][j] / (length(i) * length(j))).acos().to_degrees();
    let lattice = Lattice::from_parameters(
        [length(0), length(1), length(2)],
        [angle(1, 2), angle(0, 2), angle(0, 1)],
    )
    .unwrap();
    let mut structure = Structure {
        lattice,
        elements: Vec::new(),
        frac_coords: Vec::new(),
    };
    let symbols = ["O", "Si", "Na", "Zr"];
    let wanted = 1 + random.below(3);
    let (mut orbits, mut tries) = (0, 0);
    while orbits < wanted && tries < 400 {
        tries += 1;
        let [x, y, z] = [random.unit(), random.unit(), random.unit()];
        let point = match random.below(7) {
            0 => [0.0, 0.0, 0.0],
            1 => [0.5, 0.5, 0.5],
            2 => [x, x, x],
            3 => [x, 0.0, 0.25],
            4 => [0.0, 0.5, z],
            5 => [0.25, 0.75, 0.125],
            _ => [x, y, z],
        };
        let element: Element = symbols[random.below(4)].parse().unwrap();
        let mut grown = structure.clone();
        let fits = operations.iter().all(|(w, t)| {
            let image: [f64; 3] =
                std::array::from_fn(|i| (0..3).map(|j| w[i][j] * point[j]).sum::<f64>() + t[i]);
            match nearest(&grown, image) {
                Some((site, distance)) if distance < 1e-6 => grown.elements[site] == element,
                Some((_, distance)) if distance < 1.0 => false,
                _ => {
                    grown.elements.push(element);
                    grown.frac_coords.push(image.map(|x| x - x.floor()));
                    true
                }
            }
        });
        if fits && grown.elements.len() <= 48 {
            structure = grown;
            orbits += 1;
        }
    }
    structure
}

fn nearest(structure: &Structure, frac: [f64; 3]) -> Option<(usize, f64)> {
    let distance = |y: &[f64; 3]| {
        let delta: [f64; 3] = std::array::from_fn(|i| {
            let d = frac[i] - y[i];
            d - d.round()
        });
        structure
            .lattice
            .to_cart(delta)
            .iter()
            .map(|d| d * d)
            .sum::<f64>()
            .sqrt()
    };
    let sites = structure.frac_coords.iter().map(distance).enumerate();
    sites.min_by(|a, b| a.1.total_cmp(&b.1))
}

/// Whole-number matrices of determinant 1, as products of shears and cyclic changes of axes.
fn unimodular(random: &mut Random) -> Matrix {
    let mut matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for _ in 0..random.below(5) {
        let (i, j) = (random.below(3), random.below(3));
        let mut step = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        if i == j {
            step = [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]];
        } else {
            step[i][j] = [-1.0, 1.0][random.below(2)];
        }
        matrix = product(step, matrix);
    }
    matrix
}

fn rotation(random: &mut Random) -> Matrix {
    let q: [f64; 4] = std::array::from_fn(|_| random.within(-1.0, 1.0));
    let norm = q.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-3);
    let [a, b, c, d] = q.map(|x| x / norm);
    [
        [
            a * a + b * b - c * c - d * d,
            2.0 * (b * c - a * d),
            2.0 * (b * d + a * c),
        ],
        [
            2.0 * (b * c + a * d),
            a * a - b * b + c * c - d * d,
            2.0 * (c * d - a * b),
        ],
        [
            2.0 * (b * d - a * c),
            2.0 * (c * d + a * b),
            a * a - b * b - c * c + d * d,
        ],
    ]
}

/// Another writing of the same crystal: supercell, other vectors, of either hand, shifted, turned,
/// shuffled, and every number off by up to `noise` (relative to the cell).
fn rewritten(structure: &Structure, random: &mut Random, noise: f64) -> Structure {
    let (i, j, k) = (
        1 + random.below(2),
        1 + random.below(2),
        1 + random.below(2),
    );
    let copies = if structure.elements.len() * i * j * k <= 64 {
        [i, j, k]
    } else {
        [1; 3]
    };
    let large = copies.map(|n| n as f64);
    let mut elements = Vec::new();
    let mut positions = Vec::new();
    let shift = random.vector(1.0);
    for n in 0..copies.iter().product::<usize>() {
        let cell = [
            n / (copies[1] * copies[2]),
            n / copies[2] % copies[1],
            n % copies[2],
        ];
        for (&element, x) in structure.elements.iter().zip(&structure.frac_coords) {
            elements.push(element);
            positions.push(std::array::from_fn::<f64, 3, _>(|a| {
                (x[a] + shift[a] + cell[a] as f64) / large[a]
            }));
        }
    }
    let mut change = unimodular(random);
    if random.below(2) == 0 {
        change = change.map(|row| row.map(|x| -x));
    }
    let vectors = structure.lattice.vectors();
    let stretched: Matrix = std::array::from_fn(|a| vectors[a].map(|x| x * large[a]));
    let vectors = product(product(change, stretched), rotation(random));
    let vectors = vectors.map(|v| v.map(|x| x * (1.0 + random.within(-noise, noise))));
    let back = inverse(change);
    let mut positions: Vec<[f64; 3]> = positions
        .into_iter()
        .map(|x| {
            row_times(x, back).map(|x| {
                let whole = random.below(3) as f64 - 1.0;
                x + whole + random.within(-noise, noise)
            })
        })
        .collect();
    for last in (1..elements.len()).rev() {
        let other = random.below(last as u64 + 1);
        elements.swap(last, other);
        positions.swap(last, other);
    }
    Structure {
        lattice: Lattice::new(vectors).unwrap(),
        elements,
        frac_coords: positions,
    }
}

fn mirrored(structure: &Structure) -> Structure {
    Structure {
        frac_coords: structure
            .frac_coords
            .iter()
            .map(|x| x.map(|x| -x))
            .collect(),
        ..structure.clone()
    }
}

/// Identity: all writings are one crystal, with one name, and the canonical writing is its own.
#[test]
fn writings_of_all_space_groups_are_one_crystal() {
    let mut random = Random(15);
    for number in 1..=230 {
        for _ in 0..3 {
            let structure = random_crystal(number, &mut random);
            let canonical = CanonicalCrystal::of(&structure).unwrap();
            let again = CanonicalCrystal::of(canonical.structure()).unwrap();
            assert_eq!(again.name(), canonical.name(), "{number}");
            assert_eq!(again.cells(), 1);
            let density = canonical.structure().density_g_cm3() / structure.density_g_cm3();
            assert!((density - 1.0).abs() < 1e-9, "{number}: {density}");
            for round in 0..4 {
                let noise = if round < 2 { 0.0 } else { 1e-9 };
                let other = rewritten(&structure, &mut random, noise);
                let found = CanonicalCrystal::of(&other).unwrap();
                assert!(
                    canonical.is_same_crystal(&found) && found.is_same_crystal(&canonical),
                    "space group {number}, noise {noise}:\n{structure:?}\n{other:?}"
                );
                let atoms = found.cells() * found.structure().elements.len();
                assert_eq!(atoms, other.elements.len(), "{number}");
                if noise == 0.0 {
                    assert_eq!(found.name(), canonical.name(), "space group {number}");
                }
            }
        }
    }
}

/// Oracle: moyo's operations. A crystal is its own mirror image exactly if one of them is improper.
#[test]
fn mirror_images_are_the_same_only_with_an_improper_operation() {
    let mut random = Random(16);
    let mut chiral = 0;
    for number in 1..=230 {
        let structure = random_crystal(number, &mut random);
        let cell = moyo::base::Cell::new(
            moyo::base::Lattice::from_basis(structure.lattice.vectors()),
            structure.frac_coords.iter().map(|x| (*x).into()).collect(),
            structure
                .elements
                .iter()
                .map(|e| e.atomic_number().into())
                .collect(),
        );
        let dataset = moyo::MoyoDataset::new(
            &cell,
            1e-4,
            moyo::base::AngleTolerance::Default,
            Setting::Standard,
            true,
        )
        .unwrap();
        let improper = dataset.operations.iter().any(|operation| {
            determinant(operation.rotation_as_array().map(|row| row.map(f64::from))) < 0.0
        });
        let canonical = CanonicalCrystal::of(&structure).unwrap();
        let mirror = rewritten(&mirrored(&structure), &mut random, 1e-9);
        let mirror = CanonicalCrystal::of(&mirror).unwrap();
        assert_eq!(
            canonical.is_same_crystal(&mirror),
            improper,
            "space group {number}"
        );
        if !improper {
            chiral += 1;
            assert_ne!(canonical.name(), mirror.name(), "space group {number}");
        }
    }
    assert!(chiral > 20, "{chiral} chiral crystals");
}

/// Oracle: what was changed. An atom moved by 1e-3 Å, another element, a stretched axis.
#[test]
fn different_crystals_stay_different() {
    let mut random = Random(17);
    let mut names = HashSet::new();
    for number in 1..=230 {
        let structure = random_crystal(number, &mut random);
        let canonical = CanonicalCrystal::of(&structure).unwrap();
        assert!(names.insert(canonical.name()), "{number}");
        let mut others = Vec::new();
        if structure.elements.len() > 1 {
            let mut moved = structure.clone();
            let step = structure.lattice.to_frac([1e-3, 0.0, 0.0]);
            moved.frac_coords[0] = std::array::from_fn(|i| moved.frac_coords[0][i] + step[i]);
            others.push(moved);
        }
        let mut replaced = structure.clone();
        replaced.elements[0] = "Ge".parse().unwrap();
        others.push(replaced);
        let mut vectors = structure.lattice.vectors();
        vectors[2] = vectors[2].map(|x| x * 1.0002);
        others.push(Structure {
            lattice: Lattice::new(vectors).unwrap(),
            ..structure.clone()
        });
        for other in others {
            let other = CanonicalCrystal::of(&rewritten(&other, &mut random, 0.0)).unwrap();
            assert!(!canonical.is_same_crystal(&other), "space group {number}");
            assert_ne!(canonical.name(), other.name());
        }
    }
}

/// Identity: a skeleton whose filling leaves no shorter translation keeps its lattice, and with it
/// its k-mesh. Oracle for the others: C6 is a body-centred frame of half the edge in each direction
/// and C4 one of its own, whose equal fillings are elements of one atom a cell.
#[test]
fn benchmark_skeletons_keep_their_lattices() {
    for skeleton in Skeleton::builtins().unwrap() {
        let distinct: Vec<Element> = Element::all().take(skeleton.sites()).collect();
        let crystal = Crystal::new(skeleton.clone(), distinct).unwrap();
        let canonical = CanonicalCrystal::of(&crystal.structure()).unwrap();
        assert_eq!(canonical.cells(), 1, "{}", skeleton.label);
        let computed = canonical.to_crystal("canonical").unwrap();
        let (here, there) = (
            skeleton.lattice.metric(),
            computed.skeleton().lattice.metric(),
        );
        for (x, y) in here.as_flattened().iter().zip(there.as_flattened()) {
            assert!((x - y).abs() < 1e-9, "{}: {x} {y}", skeleton.label);
        }
    }
    for (label, symbols, cells) in [
        ("C4", "Na Na Na Na", 4),
        ("C6", "Na Na Na Na", 4),
        ("C4", "Na Na Cl Cl", 2),
        ("C4", "Na Cl Na Cl", 1),
        ("C3", "Na Na Na Na Na Na Na Na", 1),
        ("C7", "Na Cl Cl Cl Cl", 1),
    ] {
        let elements = symbols.split(' ').map(|symbol| symbol.parse().unwrap());
        let crystal = Crystal::new(Skeleton::builtin(label).unwrap(), elements.collect()).unwrap();
        let canonical = CanonicalCrystal::of(&crystal.structure()).unwrap();
        assert_eq!(canonical.cells(), cells, "{label} {symbols}");
    }
}

/// The way that a file takes: read as a skeleton, snapped to its symmetry, and known again.
#[test]
fn files_of_one_crystal_are_one_crystal() {
    let mut random = Random(18);
    for number in (1..=230).step_by(5) {
        let structure = random_crystal(number, &mut random);
        if structure.elements.len() > 12 {
            continue;
        }
        let of_file = |structure: &Structure| {
            let skeleton =
                Skeleton::from_structure("file", structure, SYMMETRY_TOLERANCE_ANG).unwrap();
            let crystal = Crystal::new(skeleton.into(), structure.elements.clone()).unwrap();
            CanonicalCrystal::of(&crystal.structure()).unwrap()
        };
        let canonical = of_file(&structure);
        for _ in 0..2 {
            let mut other = rewritten(&structure, &mut random, 1e-9);
            if determinant(other.lattice.vectors()) < 0.0 {
                let vectors = other.lattice.vectors().map(|v| v.map(|x| -x));
                other.lattice = Lattice::new(vectors).unwrap();
                other.frac_coords = mirrored(&other).frac_coords;
            }
            let other = of_file(&other);
            assert!(canonical.is_same_crystal(&other), "space group {number}");
        }
    }
}
