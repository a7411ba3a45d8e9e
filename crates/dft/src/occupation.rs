//! How bands are filled, and the Fermi level.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use serde::{Deserialize, Serialize};

use crate::basis::KPoint;

/// How bands are filled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Occupations {
    /// Two electrons in each of the lowest bands at every k-point.
    Fixed,
    /// Fractional occupations around a Fermi level.
    Smeared {
        /// Shape of the step.
        smearing: Smearing,
        /// Its width σ in hartree.
        width_ha: f64,
    },
}

/// The shape of a smeared step, as a function of `x = (μ − ε)/σ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Smearing {
    /// Gaussian broadening.
    #[default]
    Gaussian,
    /// Methfessel–Paxton of first order, Phys. Rev. B 40, 3616 (1989).
    MethfesselPaxton,
    /// Marzari–Vanderbilt cold smearing, Phys. Rev. Lett. 82, 3296 (1999).
    MarzariVanderbilt,
    /// Fermi–Dirac.
    FermiDirac,
}

impl Smearing {
    /// Occupation of a state, between 0 and 1 for the monotonic shapes.
    pub fn occupation(self, x: f64) -> f64 {
        match self {
            Self::Gaussian => 0.5 * libm::erfc(-x),
            Self::MethfesselPaxton => 0.5 * libm::erfc(-x) + x * gaussian(x) / 2.0,
            Self::MarzariVanderbilt => {
                let y = x - FRAC_1_SQRT_2;
                0.5 * libm::erfc(-y) + FRAC_1_SQRT_2 * gaussian(y)
            }
            Self::FermiDirac => 1.0 / (1.0 + (-x).exp()),
        }
    }

    /// `w(x)` with `w′(x) = x θ′(x)`: σ w is what a state adds to the energy so that the total is
    /// variational (−TS for Fermi–Dirac).
    pub fn entropy_term(self, x: f64) -> f64 {
        match self {
            Self::Gaussian => -0.5 * gaussian(x),
            Self::MethfesselPaxton => (2.0 * x * x - 1.0) / 4.0 * gaussian(x),
            Self::MarzariVanderbilt => {
                let y = x - FRAC_1_SQRT_2;
                FRAC_1_SQRT_2 * y * gaussian(y)
            }
            Self::FermiDirac => {
                let f = self.occupation(x);
                let x_ln_x = |x: f64| if x > 0.0 { x * x.ln() } else { 0.0 };
                x_ln_x(f) + x_ln_x(1.0 - f)
            }
        }
    }
}

/// `e^{−x²}/√π`
fn gaussian(x: f64) -> f64 {
    (-x * x).exp() / PI.sqrt()
}

/// Filled bands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filling {
    /// Electrons in each band of each k-point, from 0 to 2, without the k-point's weight.
    pub(crate) occupation: Vec<Vec<f64>>,
    /// Fermi level in hartree, for smeared occupations.
    pub(crate) fermi_level: Option<f64>,
    /// `Σ w σ w(x)` in hartree, 0 for fixed occupations.
    pub(crate) smearing_energy: f64,
}

/// Fills the bands with `electrons`.
pub(crate) fn fill_bands(
    occupations: Occupations,
    electrons: f64,
    k_points: &[KPoint],
    eigenvalues: &[Vec<f64>],
) -> Filling {
    match occupations {
        Occupations::Fixed => {
            let pairs = (electrons / 2.0).round() as usize;
            let fill = |bands: &Vec<f64>| {
                (0..bands.len())
                    .map(|band| if band < pairs { 2.0 } else { 0.0 })
                    .collect()
            };
            Filling {
                occupation: eigenvalues.iter().map(fill).collect(),
                fermi_level: None,
                smearing_energy: 0.0,
            }
        }
        Occupations::Smeared { smearing, width_ha } => {
            let sum_over_states = |mu: f64, f: &dyn Fn(f64) -> f64| -> f64 {
                let at_k = |bands: &Vec<f64>| -> f64 {
                    bands.iter().map(|&e| 2.0 * f((mu - e) / width_ha)).sum()
                };
                k_points
                    .iter()
                    .zip(eigenvalues)
                    .map(|(k, bands)| k.weight * at_k(bands))
                    .sum()
            };
            let all = || eigenvalues.iter().flatten().copied();
            let mut low = all().fold(f64::INFINITY, f64::min) - 20.0 * width_ha;
            let mut high = all().fold(f64::NEG_INFINITY, f64::max) + 20.0 * width_ha;
            for _ in 0..200 {
                let middle = 0.5 * (low + high);
                if sum_over_states(middle, &|x| smearing.occupation(x)) < electrons {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            let mu = 0.5 * (low + high);
            let fill = |bands: &Vec<f64>| {
                bands
                    .iter()
                    .map(|&e| 2.0 * smearing.occupation((mu - e) / width_ha))
                    .collect()
            };
            Filling {
                occupation: eigenvalues.iter().map(fill).collect(),
                fermi_level: Some(mu),
                smearing_energy: width_ha * sum_over_states(mu, &|x| smearing.entropy_term(x)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Smearing; 4] = [
        Smearing::Gaussian,
        Smearing::MethfesselPaxton,
        Smearing::MarzariVanderbilt,
        Smearing::FermiDirac,
    ];

    /// Oracle: the energy is variational exactly if `w′ = x θ′`; central differences.
    #[test]
    fn entropy_follows_from_occupation() {
        for smearing in ALL {
            for x in [-3.0, -0.7, 0.0, 0.4, 2.2] {
                let h = 1e-5;
                let slope = |f: &dyn Fn(f64) -> f64| (f(x + h) - f(x - h)) / (2.0 * h);
                let left = slope(&|x| smearing.entropy_term(x));
                let right = x * slope(&|x| smearing.occupation(x));
                assert!((left - right).abs() < 1e-9, "{smearing:?} at {x}");
            }
            assert!(smearing.occupation(-12.0).abs() < 1e-5);
            assert!((smearing.occupation(12.0) - 1.0).abs() < 1e-5);
        }
    }

    /// Oracle: the number of electrons itself.
    #[test]
    fn fermi_level_holds_the_electrons() {
        let k = |weight| KPoint {
            frac: [0.0; 3],
            weight,
        };
        let k_points = [k(0.25), k(0.75)];
        let eigenvalues = vec![vec![-0.3, 0.1, 0.12], vec![-0.2, 0.11, 0.3]];
        for smearing in ALL {
            let occupations = Occupations::Smeared {
                smearing,
                width_ha: 0.02,
            };
            let filling = fill_bands(occupations, 3.0, &k_points, &eigenvalues);
            let electrons: f64 = k_points
                .iter()
                .zip(&filling.occupation)
                .map(|(k, bands)| k.weight * bands.iter().sum::<f64>())
                .sum();
            assert!((electrons - 3.0).abs() < 1e-12, "{smearing:?}: {electrons}");
        }
    }
}
