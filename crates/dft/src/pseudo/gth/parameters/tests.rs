//! Tests of the closed forms against integrals.

use super::{super::super::types::Pseudopotential, *};

/// Every potential of the table.
fn all() -> Vec<Pseudopotential> {
    super::super::gth_elements()
        .map(|element| Pseudopotential::gth_pbe(element).unwrap())
        .collect()
}

fn parameters(symbol: &str) -> GthParameters {
    GthParameters::pbe(symbol.parse().unwrap()).unwrap()
}

#[test]
fn the_table_holds_all_fifty_elements() {
    let all = all();
    assert_eq!(all.len(), 50);
    for potential in &all {
        let n = potential.projector_count();
        assert_eq!(potential.coupling().len(), n * n);
        for i in 0..n {
            for j in 0..n {
                let h = potential.coupling_between(i, j);
                assert_eq!(h, potential.coupling_between(j, i));
            }
        }
    }
    let missing = GthParameters::pbe("Pu".parse().unwrap()).unwrap_err();
    assert!(missing.to_string().contains("Pu"), "{missing}");
}

// Oracle: numerical integration of the real-space functions, a second way to every closed form.
#[test]
fn closed_forms_equal_numerical_transforms() {
    for potential in all() {
        let gth = GthParameters::pbe(potential.element()).unwrap();
        // Trapezoids on an even mesh converge exponentially for these smooth even integrands.
        let h = 0.01;
        let mesh: Vec<f64> = (1..2000).map(|i| h * f64::from(i)).collect();
        let bessel = super::super::super::radial::spherical_bessel;
        for q in [0.0, 0.3, 1.7, 5.0] {
            for (index, (l, i)) in gth.projectors().enumerate() {
                let numeric: f64 = mesh
                    .iter()
                    .map(|&r| h * r * gth.projector_at(index, r) * bessel(l, q * r))
                    .sum();
                let found = potential.projector(index, q);
                assert!(
                    (4.0 * PI * numeric - found).abs() < 1e-9,
                    "{} {l} {i} {q}: {found} {}",
                    potential.symbol(),
                    4.0 * PI * numeric
                );
            }
            // The long-range part −Z erf(r)/r is taken out of the numerical integral.
            let numeric: f64 = mesh
                .iter()
                .map(|&r| {
                    let short = gth.local_at(r) + gth.z_valence * super::super::super::erf(r) / r;
                    h * r * r * short * bessel(0, q * r)
                })
                .sum();
            let long = if q == 0.0 {
                PI * gth.z_valence
            } else {
                -4.0 * PI * gth.z_valence / (q * q) * (-0.25 * q * q).exp()
            };
            let found = potential.local(q);
            assert!(
                (4.0 * PI * numeric + long - found).abs() < 1e-8,
                "{} {q}: {found} {}",
                potential.symbol(),
                4.0 * PI * numeric + long
            );
        }
        // Projectors are normalised: ∫ r² p² dr = 1.
        for index in 0..potential.projector_count() {
            let norm: f64 = mesh
                .iter()
                .map(|&r| h * gth.projector_at(index, r).powi(2))
                .sum();
            assert!((norm - 1.0).abs() < 1e-10, "{} {index}", potential.symbol());
        }
        assert!((potential.atomic_density(0.0) - gth.z_valence).abs() < 1e-10);
    }
}

// Oracle: finite differences of the form factors.
#[test]
fn derivatives_are_those_of_the_form_factors() {
    let slope = |f: &dyn Fn(f64) -> f64, q: f64| (f(q + 1e-4) - f(q - 1e-4)) / 2e-4;
    for potential in all() {
        for q in [0.4, 1.3, 4.0] {
            for index in 0..potential.projector_count() {
                let found = potential.projector_derivative(index, q);
                let expected = slope(&|q| potential.projector(index, q), q);
                assert!(
                    (found - expected).abs() < 1e-6,
                    "{} {index}",
                    potential.symbol()
                );
            }
            let found = potential.local_derivative(q);
            let expected = slope(&|q| potential.local(q), q);
            assert!((found - expected).abs() < 1e-6 * found.abs().max(1.0));
            let found = potential.atomic_density_derivative(q);
            let expected = slope(&|q| potential.atomic_density(q), q);
            assert!((found - expected).abs() < 1e-6 * potential.z_valence());
        }
    }
}

// Oracle: the closed forms, against our own reader and its integrals over the file's mesh.
#[test]
fn a_written_upf_file_reads_back_to_the_same_form_factors() {
    for symbol in ["Si", "O", "Li", "H", "Fe", "Na", "Rb", "La"] {
        let gth = parameters(symbol);
        let text = gth.to_upf();
        let read = Pseudopotential::from_upf(&text, std::path::Path::new("gth.upf")).unwrap();
        let exact = Pseudopotential::from_gth(gth);
        assert_eq!(read.projector_l(), exact.projector_l());
        for (a, b) in read.coupling().iter().zip(exact.coupling()) {
            assert!((a - b).abs() < 1e-13 * b.abs().max(1.0));
        }
        for q in [0.0, 0.7, 3.0, 6.5] {
            assert!(
                (read.local(q) - exact.local(q)).abs() < 1e-7,
                "{symbol} {q}: {} {}",
                read.local(q),
                exact.local(q)
            );
            for index in 0..exact.projector_count() {
                let (a, b) = (read.projector(index, q), exact.projector(index, q));
                assert!((a - b).abs() < 1e-8, "{symbol} {q} {index}: {a} {b}");
            }
            // The integral over the mesh ends at 10 bohr, inside the tails of free atoms.
            let (a, b) = (read.atomic_density(q), exact.atomic_density(q));
            let tail = if q == 0.0 { 0.1 } else { 5e-3 };
            assert!((a - b).abs() < tail, "{symbol} {q}: {a} {b}");
        }
    }
}

// Oracle: norm and electron count of the orbitals, and the virial-like bound that a looser cutoff
// leaves more kinetic energy out; printed by `--nocapture`.
#[test]
#[allow(
    clippy::print_stderr,
    reason = "the table is for the reader of the test"
)]
fn atoms_hold_their_electrons_and_cutoffs_are_ordered_by_hardness() {
    let mut cutoffs = Vec::new();
    for potential in all() {
        let gth = GthParameters::pbe(potential.element()).unwrap();
        assert!((potential.atomic_density(0.0) - gth.z_valence).abs() < 1e-8);
        let h = 0.005;
        for orbital in &gth.orbitals {
            let norm: f64 = (1..8000)
                .map(|i| h * orbital.radial(h * f64::from(i)).powi(2))
                .sum();
            assert!((norm - 1.0).abs() < 1e-8, "{} {norm}", potential.symbol());
        }
        cutoffs.push((potential.symbol(), gth.recommended_cutoff_ry()));
    }
    eprintln!("{cutoffs:?}");
    let of = |symbol: &str| cutoffs.iter().find(|(s, _)| *s == symbol).unwrap().1;
    assert!(of("Na") < of("Si") && of("Si") < of("C") && of("C") < of("F"));
}
