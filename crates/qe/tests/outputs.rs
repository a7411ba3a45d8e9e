//! The parser on outputs of real runs (pw.x 6.7) and on hand-typed lines of pw.x 7.
#![allow(clippy::unwrap_used, reason = "tests report through these")]

use crystalgym_qe::{BOHR_ANG, PwFailureKind, PwOutput, PwOutputParser};
use proptest::prelude::*;

fn parse(text: &str) -> PwOutput {
    let mut parser = PwOutputParser::default();
    for line in text.lines() {
        parser.line(line);
    }
    parser.finish()
}

/// Oracle: the numbers as a person reads them in the file.
#[test]
fn an_scf_with_fixed_occupations() {
    let output = parse(include_str!("outputs/si-fixed-6.7.out"));
    assert_eq!(output.version.as_deref(), Some("6.7MaX"));
    assert_eq!(output.electrons, Some(8.0));
    assert_eq!(output.bands, Some(8));
    assert_eq!(output.symmetry_operations, Some(48));
    assert_eq!(output.k_points, Some(3));
    assert!(output.job_done && output.error.is_none());
    assert!(output.wall_seconds.unwrap() < 1.0);
    let [cycle] = &output.scf_cycles[..] else {
        unreachable!("{output:?}")
    };
    assert_eq!((cycle.iterations, cycle.converged), (4, Some(true)));
    assert_eq!(cycle.total_energy_ry, Some(-15.61435344));
    assert_eq!((cycle.homo_ev, cycle.lumo_ev), (Some(6.5928), Some(7.0457)));
    assert_eq!(cycle.pressure_kbar, Some(47.49));
    assert_eq!(cycle.stress_ry_bohr3.unwrap()[2][2], 0.00032285);
    assert_eq!(cycle.forces_ry_bohr, vec![[0.0; 3]; 2]);
}

/// Identities: mass over volume is the printed density; the step is that of the closed form.
#[test]
fn a_cell_relaxation() {
    let output = parse(include_str!("outputs/si-vc-relax-6.7.out"));
    let [step] = &output.relax_steps[..] else {
        unreachable!("{output:?}")
    };
    assert_eq!(step.density_g_cm3, Some(2.36290));
    let volume_bohr3 = step.volume_bohr3.unwrap();
    let density = 1.660_539_066_6 * 2.0 * 28.085 / (volume_bohr3 * BOHR_ANG.powi(3));
    assert!((density - 2.36290).abs() < 1e-5, "{density}");
    let cycle = &output.scf_cycles[0];
    let before = 1000.0 / 4.0; // celldm = 10 bohr, fcc
    let pressure_ry_bohr3 = cycle.pressure_kbar.unwrap() / 147_105.08;
    let expected = before * (1.0 + pressure_ry_bohr3 / 0.04).powi(3);
    assert!(
        (volume_bohr3 / expected - 1.0).abs() < 1e-5,
        "{volume_bohr3} {expected}"
    );
    assert!(cycle.fermi_ev.is_some() && cycle.homo_ev.is_none());
}

#[test]
fn failures() {
    let output = parse(include_str!("outputs/si-not-converged-6.7.out"));
    assert_eq!(output.scf_cycles[0].converged, Some(false));
    assert_eq!(output.scf_iterations(), 2);
    assert!(output.job_done);
    let output = parse(include_str!("outputs/al-odd-electrons-6.7.out"));
    assert_eq!(output.electrons, Some(3.0));
    let found = output.error.unwrap();
    assert_eq!((found.routine.as_str(), found.code), ("electrons", 1));
    assert_eq!(found.kind(), PwFailureKind::WrongCharge);
    assert!(!output.job_done);
}

/// pw.x 7: another banner, more stress terms, an energy accuracy in scientific notation, messages
/// between, several ranks printing one box.
#[test]
fn lines_of_pw_x_7() {
    let output = parse(
        "
     Program PWSCF v.7.6 starts on  1Jan2030 at 12: 0: 0
     Message from routine setup:
     using ibrav=0 with symmetry is DISCOURAGED, use correct ibrav instead
     number of electrons       =        26.00
     number of Kohn-Sham states=           17
     No symmetry found
     number of k points=   112  Gaussian smearing, width (Ry)=  0.0010
     Self-consistent Calculation
     iteration #  1     ecut=    50.00 Ry     beta= 0.70
     WARNING: integrated charge=     8.00000860, expected=     8.00000000
     total energy              =     -22.67663251 Ry
     iteration #  2     ecut=    50.00 Ry     beta= 0.70
     End of self-consistent calculation
     the Fermi energy is     6.1823 ev

!    total energy              =     -22.67663331 Ry
     estimated scf accuracy    <          4.2E-10 Ry
     smearing contrib. (-TS)   =       0.00063758 Ry
     convergence has been achieved in   2 iterations

     Forces acting on atoms (cartesian axes, Ry/au):

     atom    1 type  1   force =     0.00000000    0.00100000   -0.00200000
     The non-local contrib.  to forces
     atom    1 type  1   force =     9.00000000    9.00000000    9.00000000

          total   stress  (Ry/bohr**3)                   (kbar)     P=        1.52
   0.00001032   0.00000000  -0.00000000            1.52        0.00       -0.00
   0.00000000   0.00001032  -0.00000000            0.00        1.52       -0.00
  -0.00000000  -0.00000000   0.00001032           -0.00       -0.00        1.52

     new unit-cell volume =    266.38248 a.u.^3 (    39.47381 Ang^3 )
     density =      2.36290 g/cm^3

     PWSCF        :   1h 2m CPU   1h 3m WALL
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
     Error in routine scale_h (1):
     Not enough space allocated for radial FFT: try restarting with a larger cell_factor.
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
     Error in routine second (2):
     the same again
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
",
    );
    assert_eq!(output.version.as_deref(), Some("7.6"));
    assert_eq!((output.electrons, output.bands), (Some(26.0), Some(17)));
    assert_eq!(output.symmetry_operations, Some(1));
    assert_eq!(output.k_points, Some(112));
    let cycle = &output.scf_cycles[0];
    assert_eq!((cycle.iterations, cycle.converged), (2, Some(true)));
    assert_eq!(cycle.total_energy_ry, Some(-22.67663331));
    assert_eq!(cycle.fermi_ev, Some(6.1823));
    assert_eq!(cycle.forces_ry_bohr, vec![[0.0, 0.001, -0.002]]);
    assert_eq!(cycle.pressure_kbar, Some(1.52));
    assert_eq!(output.relax_steps[0].volume_bohr3, Some(266.38248));
    assert_eq!(output.wall_seconds, Some(3780.0));
    assert_eq!(output.error.unwrap().routine, "scale_h");
    assert!(!output.job_done);
}

#[test]
fn numbers_that_are_none_count_as_not_printed() {
    let output = parse(
        "!    total energy              =  **************** Ry
     highest occupied, lowest unoccupied level (ev): **********    1.3571
     the Fermi energy is        NaN ev
     highest occupied level (ev):     6.5903
          total   stress  (Ry/bohr**3)                   (kbar)     P= ********
   0.1 ***** 0.3
",
    );
    let cycle = &output.scf_cycles[0];
    assert_eq!(cycle.total_energy_ry, None);
    assert_eq!((cycle.homo_ev, cycle.lumo_ev), (Some(6.5903), None));
    assert_eq!((cycle.fermi_ev, cycle.pressure_kbar), (None, None));
    assert_eq!(cycle.stress_ry_bohr3, None);
}

proptest! {
    /// Cut, shuffled and spoilt outputs never make it panic.
    #[test]
    fn any_text_is_read(
        start in 0usize..4000, length in 0usize..4000, spoil in any::<u8>(), tail in ".{0,80}",
    ) {
        let text = include_str!("outputs/si-vc-relax-6.7.out").as_bytes();
        let start = start % text.len();
        let mut piece = text[start..text.len().min(start + length)].to_vec();
        if let Some(byte) = piece.get_mut(length / 2) {
            *byte = spoil;
        }
        parse(&format!("{}{tail}", String::from_utf8_lossy(&piece)));
    }
}
