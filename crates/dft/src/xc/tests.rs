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
        prop_assume!((lda::wigner_seitz_radius(rho) - 1.0).abs() > 1e-3);
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
        assert_eq!(plus, minus);
    }
}
