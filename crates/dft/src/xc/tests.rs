//! Tests of the functionals against libxc.

use proptest::prelude::*;

use super::*;

const ALL: [Functional; 4] = [
    Functional::LdaPz,
    Functional::LdaPw,
    Functional::Pbe,
    Functional::PbeSol,
];

#[test]
fn names_of_pseudopotential_files_are_understood() {
    for (text, functional) in [
        ("PBE", Functional::Pbe),
        (" SLA  PW   PBX  PBC    PBE", Functional::Pbe),
        ("SLA  PW   PBE  PBE    PBE", Functional::Pbe),
        (" SLA  PW   PBX  PBC", Functional::Pbe),
        ("SLA-PW-PBX-PBC", Functional::Pbe),
        ("SLA PZ NOGX NOGC PZ", Functional::LdaPz),
        ("pz", Functional::LdaPz),
        ("SLA PW NOGX NOGC", Functional::LdaPw),
        ("PBESOL", Functional::PbeSol),
        ("SLA PW PSX PSC", Functional::PbeSol),
    ] {
        assert_eq!(text.parse::<Functional>().unwrap(), functional, "{text}");
    }
    for functional in ALL {
        assert_eq!(functional.name().parse::<Functional>().unwrap(), functional);
    }
    let error = "B3LYP".parse::<Functional>().unwrap_err().to_string();
    assert!(
        error.contains("B3LYP") && error.contains("PBESOL"),
        "{error}"
    );
}

proptest! {
    // Oracle: finite differences of the energy, away from the thresholds and from the kink of
    // Perdew and Zunger's formula at r_s = 1.
    #[test]
    fn potentials_are_derivatives_of_the_energy(
        log_rho in -13.0..5.0_f64,
        reduced in 0.01..10.0_f64,
    ) {
        let rho = log_rho.exp();
        // Reduced gradients s up to about 5.
        let sigma = (reduced * rho.powf(4.0 / 3.0)).powi(2);
        prop_assume!(rho > 2e-6 && sigma > 2e-10);
        prop_assume!((Gas::new(rho).rs - 1.0).abs() > 1e-3);
        for functional in ALL {
            let point = functional.evaluate(rho, sigma);
            let h = 1e-4;
            let slope = |f: &dyn Fn(f64) -> f64, x: f64| {
                // Fourth-order central difference with the relative step h.
                let d = h * x;
                (8.0 * (f(x + d) - f(x - d)) - (f(x + 2.0 * d) - f(x - 2.0 * d))) / (12.0 * d)
            };
            let v_rho = slope(&|x| functional.evaluate(x, sigma).energy, rho);
            let v_sigma = slope(&|x| functional.evaluate(rho, x).energy, sigma);
            let scale = point.energy.abs();
            prop_assert!((v_rho - point.v_rho).abs() * rho < 2e-9 * scale, "{functional} {rho}");
            prop_assert!(
                (v_sigma - point.v_sigma).abs() * sigma < 2e-9 * scale,
                "{functional} {rho} {sigma}"
            );
        }
    }
}

#[test]
fn thresholds_and_negative_densities_follow_pw_x() {
    for functional in ALL {
        assert_eq!(functional.evaluate(1e-11, 1.0), XcPoint::default());
        assert_eq!(functional.evaluate(0.0, 0.0), XcPoint::default());
        let local = functional.evaluate(1e-3, 1e-11);
        assert_eq!(local.v_sigma, 0.0);
        assert_eq!(functional.evaluate(9e-7, 1.0).v_sigma, 0.0);
        let (plus, minus) = (
            functional.evaluate(0.1, 0.0),
            functional.evaluate(-0.1, 0.0),
        );
        let mirrored = XcPoint {
            energy: -plus.energy,
            ..plus
        };
        assert_eq!(minus, mirrored);
    }
}

// Identity: points side by side have the bits of single ones, on either side of the thresholds, below
// zero, and where a block isn't full.
#[test]
fn many_points_are_single_points() {
    let special = [
        0.0,
        -0.0,
        f64::from_bits(1),
        1e-310,
        f64::MIN_POSITIVE,
        1e-10,
        1.1e-10,
        1e-6,
        1.1e-6,
        -1e-3,
        -2.0,
        0.2387,
        0.2388,
        1e4,
    ];
    let spread = (0..117).map(|i| (f64::from(i) * 0.31 - 26.0).exp());
    let rho: Vec<f64> = special.into_iter().chain(spread).collect();
    for factor in [0.0, 1e-12, 0.3, 40.0] {
        let sigma: Vec<f64> = rho.iter().map(|rho| factor * rho.abs().powf(2.5)).collect();
        for functional in ALL {
            let mut seen = 0;
            functional.evaluate_many(&rho, &sigma, |i, point| {
                assert_eq!(i, seen);
                seen += 1;
                assert_eq!(point, functional.evaluate(rho[i], sigma[i]));
                assert!(point.energy.is_finite() && point.v_rho.is_finite());
                assert!(point.v_sigma.is_finite());
                assert_eq!(point.energy == 0.0, rho[i].abs() <= LDA_DENSITY_THRESHOLD);
            });
            assert_eq!(seen, rho.len());
        }
    }
}

/// Oracle: the derivative of the energy by differences, on both sides of zero.
#[test]
fn the_local_potential_is_the_derivative_where_the_density_is_negative() {
    for functional in [Functional::LdaPz, Functional::LdaPw] {
        for rho in [-2.0, -0.1, -1e-3, 1e-3, 0.1] {
            let step = 1e-5 * f64::abs(rho);
            let energy = |rho| functional.evaluate(rho, 0.0).energy;
            let slope = (energy(rho + step) - energy(rho - step)) / (2.0 * step);
            let found = functional.evaluate(rho, 0.0).v_rho;
            assert!(
                (slope - found).abs() < 1e-7,
                "{functional} {rho}: {slope} {found}"
            );
        }
    }
}

#[path = "libxc_reference.rs"]
mod libxc_reference;

/// The largest deviations from libxc relative to e, ρ ∂e/∂ρ and σ ∂e/∂σ of each row.
fn deviation(reference: &[[f64; 5]], ours: impl Fn(f64, f64) -> XcPoint) -> f64 {
    let mut largest = 0.0_f64;
    for &[rho, sigma, energy, v_rho, v_sigma] in reference {
        let point = ours(rho, sigma);
        let errors = [
            (point.energy - energy) / energy,
            (point.v_rho - v_rho) * rho / energy,
            (point.v_sigma - v_sigma) * sigma / energy,
        ];
        for error in errors {
            largest = largest.max(error.abs());
        }
    }
    largest
}

// Oracle: libxc 7 on random densities from 1e-9 to 100 bohr⁻³ and reduced gradients up to 30.
#[test]
fn formulas_agree_with_libxc() {
    let local = |functional: Functional| move |rho, _| functional.local(&Gas::new(rho)).0;
    let pz = deviation(&libxc_reference::LDA_PZ, local(Functional::LdaPz));
    let pw = deviation(&libxc_reference::LDA_PW, local(Functional::LdaPw));
    // Libxc's PBE has the constant A of the reference code.
    const REVISED_A: f64 = 0.031_090_7;
    let gga = |parameters| {
        move |rho, sigma| {
            let gas = Gas::new(rho);
            let correlation = lda::correlation_pw(&gas, REVISED_A);
            let mut point = gas.exchange();
            point += correlation.point(&gas);
            point += gga::gradient_correction(parameters, &gas, sigma, &correlation);
            point
        }
    };
    let pbe = deviation(&libxc_reference::PBE, gga(gga::PBE));
    let pbe_sol = deviation(&libxc_reference::PBE_SOL, gga(gga::PBE_SOL));
    assert!(
        pz < 1e-9 && pw < 1e-9 && pbe < 1e-9 && pbe_sol < 1e-9,
        "{pz} {pw} {pbe} {pbe_sol}"
    );
    // What the constant of `pw.x` changes, with its thresholds left out.
    let with_pw_x = |functional: Functional| {
        move |rho, sigma| {
            let gas = Gas::new(rho);
            let (mut point, correlation) = functional.local(&gas);
            let parameters = functional.gradient_parameters().unwrap();
            point += gga::gradient_correction(parameters, &gas, sigma, &correlation);
            point
        }
    };
    let shift = deviation(&libxc_reference::PBE, with_pw_x(Functional::Pbe));
    assert!(shift > 1e-9 && shift < 1e-5, "{shift}");
}
