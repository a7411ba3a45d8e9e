//! Electrostatic energy of point ions in a neutralising background, by Ewald's summation.

use std::f64::consts::PI;

use rustfft::num_complex::Complex64;

use super::strain::{add_diagonal, add_outer};
use crate::{
    DftError,
    cancellation::Cancellation,
    cell::Cell,
    model::Model,
    vector::{Matrix3, Vector3, dot, norm, subtract},
};

/// Exponent beyond which a Gaussian is below rounding: e^{−40} ≈ 4e-18.
const EXPONENT_LIMIT: f64 = 40.0;

/// Energy of the ions in hartree.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn ewald_energy(model: &Model, cancellation: Cancellation<'_>) -> Result<f64, DftError> {
    PointCharges::of(model).energy(cancellation)
}

/// `F_i = Σ_j Z Z (df/dr) (r_j − r_i)/r − 4π/Ω Σ_{G≠0} g G Im(S* Zᵢ e^{−iG·τᵢ})`, with
/// `f = erfc(√η r)/r` and `g = e^{−G²/4η}/G²`.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn ewald_forces(
    model: &Model,
    cancellation: Cancellation<'_>,
) -> Result<Vec<Vector3>, DftError> {
    let charges = PointCharges::of(model);
    let mut forces = vec![[0.0; 3]; model.atoms.len()];
    charges.visit_pairs(
        cancellation,
        |Pair {
             home,
             apart,
             r,
             product,
         }| {
            let factor = product * charges.slope(r) / r;
            for (force, apart) in forces[home].iter_mut().zip(apart) {
                *force += factor * apart;
            }
        },
    )?;
    let scale = 4.0 * PI / model.cell.volume();
    charges.visit_reciprocal(cancellation, |m, g, _, damping, structure| {
        for (atom, force) in forces.iter_mut().enumerate() {
            let own = charges.phase(atom, m) * charges.charges[atom];
            let factor = scale * damping * (structure.conj() * own).im;
            for (force, g) in force.iter_mut().zip(g) {
                *force -= factor * g;
            }
        }
    })?;
    Ok(forces)
}

/// `∂E/∂ε_ab = ½ Σ' Z Z (df/dr) r_a r_b / r + Ω⁻¹ Σ_{G≠0} 4π g |S|² (1/G² + 1/4η) G_a G_b
/// − (E_G + E_0) δ_ab` with `f = erfc(√η r)/r`, `g = e^{−G²/4η}/G²` and the energies E_G, E_0 of the
/// reciprocal sum and of the background.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn ewald_strain(
    model: &Model,
    cancellation: Cancellation<'_>,
) -> Result<Matrix3, DftError> {
    let charges = PointCharges::of(model);
    let (eta, volume) = (charges.eta, model.cell.volume());
    let mut sum = [[0.0; 3]; 3];
    let mut reciprocal_energy = 0.0;
    charges.visit_reciprocal(cancellation, |_, g, g2, damping, structure| {
        let energy = 2.0 * PI / volume * damping * structure.norm_sqr();
        reciprocal_energy += energy;
        add_outer(&mut sum, 2.0 * energy * (1.0 / g2 + 0.25 / eta), g, g);
    })?;
    charges.visit_pairs(
        cancellation,
        |Pair {
             apart, r, product, ..
         }| {
            add_outer(&mut sum, 0.5 * product * charges.slope(r) / r, apart, apart);
        },
    )?;
    let total: f64 = charges.charges.iter().sum();
    let background = -PI / (2.0 * volume * eta) * total * total;
    add_diagonal(&mut sum, -reciprocal_energy - background);
    Ok(sum)
}

/// Point charges in a neutralising background.
struct PointCharges {
    cell: Cell,
    frac: Vec<Vector3>,
    charges: Vec<f64>,
    /// Split η between both sums in bohr⁻²; nothing depends on it.
    eta: f64,
}

/// Two charges, one of them in any cell.
struct Pair {
    /// Index of the charge in the home cell.
    home: usize,
    /// From the first to the second, in bohr.
    apart: Vector3,
    /// Its length.
    r: f64,
    /// Product of the charges.
    product: f64,
}

impl PointCharges {
    fn of(model: &Model) -> Self {
        Self {
            cell: model.cell,
            frac: model.atoms.iter().map(|atom| atom.frac).collect(),
            charges: model.atoms.iter().map(|atom| model.valence(atom)).collect(),
            // √η = √π / Ω^{1/3} gives both sums the same reach in a cube.
            eta: PI / model.cell.volume().powf(2.0 / 3.0),
        }
    }

    /// `E = ½ Σ' ZᵢZⱼ erfc(√η r)/r + 2π/Ω Σ_{G≠0} e^{−G²/4η}/G² |S(G)|² − √(η/π) ΣZ² − π/(2Ωη) (ΣZ)²`
    /// in hartree.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    fn energy(&self, cancellation: Cancellation<'_>) -> Result<f64, DftError> {
        let (eta, volume) = (self.eta, self.cell.volume());
        let total: f64 = self.charges.iter().sum();
        let squares: f64 = self.charges.iter().map(|z| z * z).sum();
        let (mut reciprocal_sum, mut real_sum) = (0.0, 0.0);
        self.visit_reciprocal(cancellation, |_, _, _, damping, structure| {
            reciprocal_sum += damping * structure.norm_sqr();
        })?;
        self.visit_pairs(cancellation, |pair| {
            real_sum += pair.product * libm::erfc(eta.sqrt() * pair.r) / pair.r;
        })?;
        Ok(0.5 * real_sum + 2.0 * PI / volume * reciprocal_sum
            - (eta / PI).sqrt() * squares
            - PI / (2.0 * volume * eta) * total * total)
    }

    /// `d/dr [erfc(√η r)/r]`
    fn slope(&self, r: f64) -> f64 {
        let eta = self.eta;
        let gaussian = 2.0 * (eta / PI).sqrt() * (-eta * r * r).exp();
        -(libm::erfc(eta.sqrt() * r) / r + gaussian) / r
    }

    /// `e^{−iG·τ}` of one charge.
    fn phase(&self, charge: usize, miller: [i32; 3]) -> Complex64 {
        Complex64::cis(-2.0 * PI * dot(self.frac[charge], miller.map(f64::from)))
    }

    /// Calls `visit(m, G, G², e^{−G²/4η}/G², S(G))` for all G ≠ 0 of the reciprocal sum.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    fn visit_reciprocal(
        &self,
        cancellation: Cancellation<'_>,
        mut visit: impl FnMut([i32; 3], Vector3, f64, f64, Complex64),
    ) -> Result<(), DftError> {
        let mut pace = cancellation.pace();
        let g_max = (4.0 * self.eta * EXPONENT_LIMIT).sqrt();
        visit_lattice(
            self.cell.reciprocal(),
            self.cell.vectors(),
            g_max,
            |m, g| {
                let g2 = dot(g, g);
                if m == [0; 3] || g2 > g_max * g_max {
                    return Ok(());
                }
                pace.spend(8 * self.charges.len())?;
                let structure = (0..self.charges.len())
                    .map(|i| self.phase(i, m) * self.charges[i])
                    .sum();
                let damping = (-g2 / (4.0 * self.eta)).exp() / g2;
                visit(m, g, g2, damping, structure);
                Ok(())
            },
        )
    }

    /// Calls `visit` for all ordered pairs of the real-space sum.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    fn visit_pairs(
        &self,
        cancellation: Cancellation<'_>,
        mut visit: impl FnMut(Pair),
    ) -> Result<(), DftError> {
        let mut pace = cancellation.pace();
        let r_max = (EXPONENT_LIMIT / self.eta).sqrt();
        let sites = || self.frac.iter().zip(&self.charges);
        for (home, (xi, zi)) in sites().enumerate() {
            for (xj, zj) in sites() {
                let apart = self.cell.to_cart(subtract(*xj, *xi).map(|x| x - x.round()));
                let reach = r_max + norm(apart);
                visit_lattice(
                    self.cell.vectors(),
                    self.cell.reciprocal(),
                    reach,
                    |_, lattice| {
                        pace.spend(8)?;
                        let apart: Vector3 = std::array::from_fn(|i| lattice[i] + apart[i]);
                        let r = norm(apart);
                        if r > 1e-8 && r < r_max {
                            visit(Pair {
                                home,
                                apart,
                                r,
                                product: zi * zj,
                            });
                        }
                        Ok(())
                    },
                )?;
            }
        }
        Ok(())
    }
}

/// Calls `visit` for all lattice vectors `Σ nᵢ rowᵢ` that can be shorter than `reach`; `dual` are
/// the rows of the dual lattice with 2π included: `|nᵢ| ≤ |dualᵢ| reach / 2π`.
fn visit_lattice(
    rows: [Vector3; 3],
    dual: [Vector3; 3],
    reach: f64,
    mut visit: impl FnMut([i32; 3], Vector3) -> Result<(), DftError>,
) -> Result<(), DftError> {
    let limits = dual.map(|v| (norm(v) * reach / (2.0 * PI)).floor() as i32);
    for i in -limits[0]..=limits[0] {
        for j in -limits[1]..=limits[1] {
            for k in -limits[2]..=limits[2] {
                let n = [i, j, k];
                visit(n, crate::vector::combine_rows(n.map(f64::from), rows))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: Madelung constants of rock salt (1.7475645946) and caesium chloride
    /// (1.7626747731), referred to the nearest-neighbour distance.
    #[test]
    fn madelung_constants() {
        let a = 5.3;
        let cube = Cell::new([[a, 0.0, 0.0], [0.0, a, 0.0], [0.0, 0.0, a]]).unwrap();
        let h = a / 2.0;
        let fcc = Cell::new([[0.0, h, h], [h, 0.0, h], [h, h, 0.0]]).unwrap();
        let cases = [
            (fcc, a / 2.0, 1.747_564_594_633_182),
            (cube, a * 3f64.sqrt() / 2.0, 1.762_674_773_070_988),
        ];
        for (cell, nearest, madelung) in cases {
            for eta in [0.08, 0.2, 0.5] {
                let charges = PointCharges {
                    cell,
                    frac: vec![[0.1, 0.2, 0.3], [0.6, 0.7, 0.8]],
                    charges: vec![1.0, -1.0],
                    eta,
                };
                let energy = charges.energy(Cancellation::NEVER).unwrap();
                assert!((-energy * nearest - madelung).abs() < 1e-12, "{energy}");
            }
        }
    }

    /// Oracle: the energy per charge of the body-centred cubic Wigner crystal in its background,
    /// −0.895929255682 / r_s hartree (Fuchs 1935).
    #[test]
    fn wigner_crystal() {
        let a = 4.0;
        let h = a / 2.0;
        let cell = Cell::new([[-h, h, h], [h, -h, h], [h, h, -h]]).unwrap();
        let r_s = (3.0 * cell.volume() / (4.0 * PI)).cbrt();
        let charges = PointCharges {
            cell,
            frac: vec![[0.0; 3]],
            charges: vec![1.0],
            eta: 0.3,
        };
        let energy = charges.energy(Cancellation::NEVER).unwrap();
        assert!(
            (energy * r_s + 0.895_929_255_682).abs() < 1e-11,
            "{}",
            energy * r_s
        );
    }
}
