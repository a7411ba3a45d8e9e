//! The gap of smeared metals and semiconductors.
//!
//! Oracle: sodium, aluminium and calcium are metals, whatever the mesh; a semiconductor has the gap
//! that it has with fixed occupations.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Case, fcc, gth, silicon};
use crystalgym_dft::{BandEdges, HARTREE_EV, RYDBERG_HARTREE, Smearing, pseudo::Pseudopotential};

const RYDBERG_EV: f64 = RYDBERG_HARTREE * HARTREE_EV;

fn edges(case: &Case) -> (BandEdges, Option<f64>) {
    let result = case.solve(|symbol| Pseudopotential::from_gth(gth(symbol)));
    assert!(result.is_converged());
    (BandEdges::of(&result).unwrap(), result.fermi_level_ha)
}

fn metal(
    symbol: &'static str,
    lattice_ang: [[f64; 3]; 3],
    divisions: u32,
    smearing: Smearing,
) -> Case {
    Case {
        lattice_ang,
        atoms: vec![(symbol, [0.0; 3])],
        ecutwfc_ry: 12.0,
        ecutrho_ry: 48.0,
        divisions: [divisions; 3],
        smearing: Some((smearing, 0.2 / RYDBERG_EV)),
        bands: 9,
        use_symmetry: true,
    }
}

#[test]
fn metals_have_no_gap_on_any_mesh() {
    let half = |a: f64| a / 2.0;
    let bcc = |a: f64| {
        let h = half(a);
        [[-h, h, h], [h, -h, h], [h, h, -h]]
    };
    for case in [
        metal("Al", fcc(4.05), 8, Smearing::MarzariVanderbilt),
        metal("Al", fcc(4.05), 2, Smearing::MethfesselPaxton),
        metal("Na", bcc(4.23), 6, Smearing::MarzariVanderbilt),
        metal("Na", bcc(4.23), 1, Smearing::Gaussian),
        // An even number of electrons in bands that overlap.
        metal("Ca", fcc(5.58), 6, Smearing::FermiDirac),
    ] {
        let (edges, fermi_level) = edges(&case);
        assert_eq!(edges.gap_ha(), 0.0, "{:?}: {edges:?}", case.atoms);
        assert_eq!(Some(edges.homo_ha), fermi_level);
        assert_eq!(Some(edges.lumo_ha), fermi_level);
    }
}

/// Where levels near the gap are smeared by less than a tenth of it, and by as much as half of it,
/// with the density held by convergence only in the first case.
#[test]
fn silicon_keeps_its_gap_when_smeared() {
    let gap_ev = |smearing| {
        let case = Case {
            smearing,
            ..silicon()
        };
        edges(&case).0.gap_ha() * HARTREE_EV
    };
    let fixed = gap_ev(None);
    assert!(fixed > 0.4, "{fixed}");
    for (smearing, width_ev, tolerance_ev) in [
        (Smearing::Gaussian, 0.02, 1e-4),
        (Smearing::MarzariVanderbilt, 0.02, 1e-4),
        (Smearing::FermiDirac, 0.25, 0.05),
    ] {
        let smeared = gap_ev(Some((smearing, width_ev / RYDBERG_EV)));
        assert!(
            (smeared - fixed).abs() < tolerance_ev,
            "{smearing:?} {width_ev} eV: {smeared} eV, fixed {fixed} eV"
        );
    }
}
