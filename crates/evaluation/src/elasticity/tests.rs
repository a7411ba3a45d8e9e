//! Strains and coefficients of all 32 point groups, and of a crystal of pair potentials.

use std::{convert::Infallible, f64::consts::PI};

use super::{
    stress_strain::StressStrain,
    tensors::{Matrix6, multiply, rotated, to_tensor, to_vector},
    *,
};

const IDENTITY: Matrix3 = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

fn product(a: &Matrix3, b: &Matrix3) -> Matrix3 {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

fn negated(a: Matrix3) -> Matrix3 {
    a.map(|row| row.map(|x| -x))
}

/// About z, by a turn over `n`.
fn about_z(n: f64) -> Matrix3 {
    let (sine, cosine) = (2.0 * PI / n).sin_cos();
    [[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]]
}

fn diagonal(x: f64, y: f64, z: f64) -> Matrix3 {
    [[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, z]]
}

/// The group that the generators make.
fn group(generators: &[Matrix3]) -> Vec<Matrix3> {
    let mut elements = vec![IDENTITY];
    let mut next = 0;
    while next < elements.len() {
        for generator in generators {
            let made = product(generator, &elements[next]);
            let same = |other: &Matrix3| {
                let pairs = made.iter().flatten().zip(other.iter().flatten());
                pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-9)
            };
            if !elements.iter().any(same) {
                elements.push(made);
            }
        }
        next += 1;
    }
    elements
}

/// Symbol, generators, order, and the fewest strains.
fn point_groups() -> Vec<(&'static str, Vec<Matrix3>, usize, usize)> {
    let inversion = negated(IDENTITY);
    let (two_x, two_y, two_z) = (
        diagonal(1.0, -1.0, -1.0),
        diagonal(-1.0, 1.0, -1.0),
        diagonal(-1.0, -1.0, 1.0),
    );
    let (m_x, m_y) = (negated(two_x), negated(two_y));
    let (three, four, six) = (about_z(3.0), about_z(4.0), about_z(6.0));
    let (four_bar, six_bar) = (negated(four), negated(six));
    let three_111 = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
    vec![
        ("1", vec![], 1, 6),
        ("-1", vec![inversion], 2, 6),
        ("2", vec![two_y], 2, 4),
        ("m", vec![m_y], 2, 4),
        ("2/m", vec![two_y, inversion], 4, 4),
        ("222", vec![two_x, two_y], 4, 3),
        ("mm2", vec![m_x, m_y], 4, 3),
        ("mmm", vec![two_x, two_y, inversion], 8, 3),
        ("4", vec![four], 4, 2),
        ("-4", vec![four_bar], 4, 2),
        ("4/m", vec![four, inversion], 8, 2),
        ("422", vec![four, two_x], 8, 2),
        ("4mm", vec![four, m_x], 8, 2),
        ("-42m", vec![four_bar, two_x], 8, 2),
        ("4/mmm", vec![four, two_x, inversion], 16, 2),
        ("3", vec![three], 3, 2),
        ("-3", vec![three, inversion], 6, 2),
        ("32", vec![three, two_x], 6, 2),
        ("3m", vec![three, m_x], 6, 2),
        ("-3m", vec![three, two_x, inversion], 12, 2),
        ("6", vec![six], 6, 2),
        ("-6", vec![six_bar], 6, 2),
        ("6/m", vec![six, inversion], 12, 2),
        ("622", vec![six, two_x], 12, 2),
        ("6mm", vec![six, m_x], 12, 2),
        ("-6m2", vec![six_bar, m_x], 12, 2),
        ("6/mmm", vec![six, two_x, inversion], 24, 2),
        ("23", vec![two_z, three_111], 12, 1),
        ("m-3", vec![two_z, three_111, inversion], 24, 1),
        ("432", vec![four, three_111], 24, 1),
        ("-43m", vec![four_bar, three_111], 24, 1),
        ("m-3m", vec![four, three_111, inversion], 48, 1),
    ]
}

/// Numbers without any pattern, from −1 to 1.
fn pseudo_random(seed: u32) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1u32 << 23) - 1.0
    }
}

fn transposed(a: &Matrix3) -> Matrix3 {
    std::array::from_fn(|i| std::array::from_fn(|j| a[j][i]))
}

/// How a rotation acts on the six numbers.
fn of_six(rotation: &Matrix3) -> Matrix6 {
    let columns: Matrix6 = std::array::from_fn(|n| {
        let unit = std::array::from_fn(|m| f64::from(u8::from(m == n)));
        to_vector(&rotated(&to_tensor(&unit), rotation))
    });
    std::array::from_fn(|m| std::array::from_fn(|n| columns[n][m]))
}

/// Coefficients of no other symmetry than the group's.
fn projected(raw: &Matrix6, rotations: &[Matrix3]) -> Matrix6 {
    let mut mean = [[0.0; 6]; 6];
    for rotation in rotations {
        let turned = multiply(
            &of_six(rotation),
            &multiply(raw, &of_six(&transposed(rotation))),
        );
        for (mean, x) in mean.iter_mut().flatten().zip(turned.iter().flatten()) {
            *mean += x / rotations.len() as f64;
        }
    }
    mean
}

/// Oracle for the numbers of strains: representation theory by hand. Strains are 2A + E + T₂ (less
/// one A) of the cube, 2A₁ + B₁ + B₂ + E of 4/mmm, 2A₁ + E₁ + E₂ of 6/mmm, 2A₁ + 2E of -3m,
/// 3A + B₁ + B₂ + B₃ of mmm, 4A + 2B of 2/m, 6A of -1; one strain reaches as many copies of a
/// representation as it has dimensions. Oracle for the fit: the coefficients that the stresses were
/// made of, without the symmetry of an energy, in the standard orientation and in another one.
#[test]
fn every_point_group_is_measured_with_the_fewest_strains() {
    let (sine, cosine) = 0.7f64.sin_cos();
    let tilt = product(
        &[[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]],
        &about_z(7.3),
    );
    let groups = point_groups();
    assert_eq!(groups.len(), 32);
    for (seed, (symbol, generators, order, strains)) in groups.into_iter().enumerate() {
        let standard = group(&generators);
        assert_eq!(standard.len(), order, "{symbol}");
        let tilted: Vec<Matrix3> = (standard.iter())
            .map(|rotation| product(&tilt, &product(rotation, &transposed(&tilt))))
            .collect();
        for rotations in [standard, tilted] {
            let mut random = pseudo_random(seed as u32);
            let raw: Matrix6 = std::array::from_fn(|_| std::array::from_fn(|_| random()));
            let coefficients = projected(&raw, &rotations);
            let mut calculations = 0;
            let measured = StressStrain::measure(&rotations, 0.01, IDENTITY, |strain| {
                calculations += 1;
                let strain = to_vector(strain);
                let stress = std::array::from_fn(|m| {
                    let row = coefficients[m].iter().zip(strain);
                    row.map(|(b, e)| b * e).sum::<f64>()
                });
                Ok::<_, Infallible>(to_tensor(&stress))
            });
            let Ok(measured) = measured;
            assert_eq!(measured.strains, strains, "{symbol}");
            assert!(calculations <= 2 * strains, "{symbol}");
            let pairs = measured.coefficients_gpa.iter().flatten();
            for (found, expected) in pairs.zip(coefficients.iter().flatten()) {
                assert!(
                    (found - expected).abs() < 1e-12,
                    "{symbol}: {found} {expected}"
                );
            }
        }
    }
}

/// Oracle: by hand. Of the single strains that tell all of a cube's responses, a dilation along one
/// axis and a shear, those whose shear is in the plane across the axis keep the most rotations: the
/// eight of mmm about that axis and the two diagonals of the plane, all of which the cube has.
#[test]
fn of_equally_many_strains_the_most_symmetric_are_taken() {
    let three_111 = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
    let cube = group(&[about_z(4.0), three_111, negated(IDENTITY)]);
    let chosen = fewest_strains(&cube);
    let [strain] = chosen[..] else {
        panic!("{chosen:?}");
    };
    let fixing = |rotation: &&Matrix3| {
        let image = rotated(&strain, rotation);
        let pairs = image.iter().flatten().zip(strain.iter().flatten());
        pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-9)
    };
    assert_eq!(cube.iter().filter(fixing).count(), 8, "{strain:?}");
}

/// `V(r) = ¼ (r² − 2)²` between the atoms of a tetragonal lattice, up to a distance: energy and
/// stress of a strained cell in closed form.
struct PairCrystal {
    vectors: Vec<[f64; 3]>,
    volume: f64,
}

impl PairCrystal {
    fn new() -> Self {
        let mut vectors = Vec::new();
        for i in -1..=1 {
            for j in -1..=1 {
                for k in -1..=1 {
                    vectors.push([1.1 * f64::from(i), 1.1 * f64::from(j), 1.3 * f64::from(k)]);
                }
            }
        }
        vectors.retain(|v| *v != [0.0; 3]);
        Self {
            vectors,
            volume: 1.1 * 1.1 * 1.3,
        }
    }

    fn strained(&self, strain: &Matrix3) -> (Vec<[f64; 3]>, f64) {
        let f: Matrix3 =
            std::array::from_fn(|i| std::array::from_fn(|j| IDENTITY[i][j] + strain[i][j]));
        let vectors = self
            .vectors
            .iter()
            .map(|v| f.map(|row| row.iter().zip(v).map(|(f, x)| f * x).sum::<f64>()));
        let [a, b, c] = f;
        let determinant = a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
            + a[2] * (b[0] * c[1] - b[1] * c[0]);
        (vectors.collect(), self.volume * determinant)
    }

    /// Of an atom.
    fn energy(&self, strain: &Matrix3) -> f64 {
        let potential = |v: &[f64; 3]| 0.25 * (v.iter().map(|x| x * x).sum::<f64>() - 2.0).powi(2);
        0.5 * self.strained(strain).0.iter().map(potential).sum::<f64>()
    }

    /// `σ = (2 Ω)⁻¹ Σ (V′/r) r rᵀ`, with `V′/r = r² − 2`.
    fn stress(&self, strain: &Matrix3) -> Matrix3 {
        let (vectors, volume) = self.strained(strain);
        let mut stress = [[0.0; 3]; 3];
        for v in vectors {
            let slope = v.iter().map(|x| x * x).sum::<f64>() - 2.0;
            for i in 0..3 {
                for j in 0..3 {
                    stress[i][j] += 0.5 * slope * v[i] * v[j] / volume;
                }
            }
        }
        stress
    }
}

/// Oracles: second differences of the energy, by
/// `Ω⁻¹ d²E/ds² = ε:B:ε − tr(σ ε²) + (σ:ε) tr ε` for the cell strained by s ε; and Wallace's
/// antisymmetric part, under a stress that is not hydrostatic.
#[test]
fn coefficients_of_a_stressed_crystal_are_second_derivatives_of_its_energy() {
    let crystal = PairCrystal::new();
    let stress = crystal.stress(&[[0.0; 3]; 3]);
    assert!((stress[0][0] - stress[2][2]).abs() > 0.3, "{stress:?}");
    let rotations = group(&[
        about_z(4.0),
        diagonal(1.0, -1.0, -1.0),
        diagonal(-1.0, -1.0, -1.0),
    ]);
    let Ok(measured) = StressStrain::measure(&rotations, 1e-4, stress, |strain| {
        Ok::<_, Infallible>(crystal.stress(strain))
    });
    let size = measured.coefficients_gpa[0][0].abs();
    assert!(measured.asymmetry_gpa() < 1e-6 * size);
    let bare = StressStrain {
        stress_gpa: [[0.0; 3]; 3],
        ..measured.clone()
    };
    assert!(bare.asymmetry_gpa() > 0.01 * size);
    let mut random = pseudo_random(5);
    for _ in 0..10 {
        let six: [f64; 6] = std::array::from_fn(|_| random());
        let strain = to_tensor(&six);
        let step = 1e-4;
        let energy = |s: f64| crystal.energy(&strain.map(|row| row.map(|x| s * x)));
        let second =
            (energy(step) + energy(-step) - 2.0 * energy(0.0)) / (step * step * crystal.volume);
        let mut quadratic = 0.0;
        for (row, x) in measured.coefficients_gpa.iter().zip(six) {
            quadratic += x * row.iter().zip(six).map(|(b, y)| b * y).sum::<f64>();
        }
        let square = product(&strain, &strain);
        let contracted = |a: &Matrix3| -> f64 {
            let pairs = stress.iter().flatten().zip(a.iter().flatten());
            pairs.map(|(x, y)| x * y).sum()
        };
        let trace = strain[0][0] + strain[1][1] + strain[2][2];
        let expected = quadratic - contracted(&square) + contracted(&strain) * trace;
        assert!(
            (second - expected).abs() < 1e-5 * size,
            "{second} {expected}"
        );
    }
}

fn cubic(c11: f64, c12: f64, c44: f64) -> Result<ElasticConstants, ElasticallyUnstable> {
    let coefficients_gpa = std::array::from_fn(|m| {
        std::array::from_fn(|n| match (m == n, m < 3, n < 3) {
            (true, true, _) => c11,
            (true, false, _) => 2.0 * c44,
            (false, true, true) => c12,
            _ => 0.0,
        })
    });
    ElasticConstants::of(&StressStrain {
        coefficients_gpa,
        stress_gpa: [[0.0; 3]; 3],
        strains: 1,
    })
}

/// Oracles: Hill's closed forms for cubic crystals, with measured constants of copper (C. Kittel,
/// Introduction to Solid State Physics, 8th ed., chapter 3, table 11: 168.4, 121.4 and 75.4 GPa).
#[test]
fn averages_of_a_cubic_crystal() {
    let (c11, c12, c44) = (168.4, 121.4, 75.4);
    let constants = cubic(c11, c12, c44).unwrap();
    let average = constants.average;
    let (soft, hard) = ((c11 - c12) / 2.0, c44);
    let voigt = (2.0 * soft + 3.0 * hard) / 5.0;
    let reuss = 5.0 / (2.0 / soft + 3.0 / hard);
    for (found, expected) in [
        (average.voigt.shear_gpa, voigt),
        (average.reuss.shear_gpa, reuss),
        (average.hill.shear_gpa, 0.5 * (voigt + reuss)),
        (average.voigt.bulk_gpa, (c11 + 2.0 * c12) / 3.0),
        (average.reuss.bulk_gpa, (c11 + 2.0 * c12) / 3.0),
        (constants.stiffness_gpa[3][3], c44),
        (constants.stiffness_gpa[0][1], c12),
    ] {
        assert!((found - expected).abs() < 1e-10, "{found} {expected}");
    }
}

/// Oracle: Born's conditions for cubic crystals, C₁₁ − C₁₂, C₁₁ + 2 C₁₂ and C₄₄ above 0, each
/// violated alone.
#[test]
fn instability_has_its_strain() {
    for (constants, stiffness, strain) in [
        ((1.0, 1.5, 2.0), -0.5, "deviator"),
        ((1.0, -0.7, 2.0), -0.4, "dilation"),
        ((3.0, 1.0, -0.25), -0.5, "shear"),
    ] {
        let (c11, c12, c44) = constants;
        let error = cubic(c11, c12, c44).unwrap_err();
        assert!((error.stiffness_gpa - stiffness).abs() < 1e-12, "{error}");
        let [[xx, xy, xz], [_, yy, yz], [.., zz]] = error.strain;
        let shears = xy.abs() + xz.abs() + yz.abs();
        let kind = match ((xx + yy + zz).abs() > 1e-9, shears > 1e-9) {
            (true, false) => "dilation",
            (false, true) => "shear",
            _ => "deviator",
        };
        assert_eq!(kind, strain, "{error}");
    }
    assert!(cubic(f64::NAN, 0.0, 1.0).is_err());
}
