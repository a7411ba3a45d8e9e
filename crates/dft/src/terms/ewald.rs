//! Electrostatic energy of point ions in a neutralising background, by Ewald's summation.

use std::f64::consts::PI;

use crate::{
    cell::Cell,
    model::Model,
    vector::{Vector3, dot, norm, subtract},
};

/// Exponent beyond which a Gaussian is below rounding: e^{−40} ≈ 4e-18.
const EXPONENT_LIMIT: f64 = 40.0;

/// `E = ½ Σ' ZᵢZⱼ erfc(√η r)/r + 2π/Ω Σ_{G≠0} e^{−G²/4η}/G² |S(G)|² − √(η/π) ΣZ² − π/(2Ωη) (ΣZ)²`
/// in hartree; the sum does not depend on η.
pub(crate) fn ewald_energy(model: &Model) -> f64 {
    let charges: Vec<f64> = model.atoms.iter().map(|atom| model.valence(atom)).collect();
    let positions: Vec<Vector3> = model.atoms.iter().map(|atom| atom.frac).collect();
    // √η = √π / Ω^{1/3} gives both sums the same reach in a cube.
    let eta = PI / model.cell.volume().powf(2.0 / 3.0);
    point_charge_energy(&model.cell, &positions, &charges, eta)
}

/// As [`ewald_energy`], for any charges and a chosen split η (bohr⁻²).
pub(crate) fn point_charge_energy(cell: &Cell, frac: &[Vector3], charges: &[f64], eta: f64) -> f64 {
    let total: f64 = charges.iter().sum();
    let squares: f64 = charges.iter().map(|z| z * z).sum();

    let g_max = (4.0 * eta * EXPONENT_LIMIT).sqrt();
    let mut reciprocal_sum = 0.0;
    visit_lattice(cell.reciprocal(), cell.vectors(), g_max, |m, g| {
        let g2 = dot(g, g);
        if m == [0; 3] || g2 > g_max * g_max {
            return;
        }
        let (mut re, mut im) = (0.0, 0.0);
        for (x, z) in frac.iter().zip(charges) {
            let phase = 2.0 * PI * dot(*x, m.map(f64::from));
            re += z * phase.cos();
            im -= z * phase.sin();
        }
        reciprocal_sum += (-g2 / (4.0 * eta)).exp() / g2 * (re * re + im * im);
    });

    let r_max = (EXPONENT_LIMIT / eta).sqrt();
    let mut real_sum = 0.0;
    for (xi, zi) in frac.iter().zip(charges) {
        for (xj, zj) in frac.iter().zip(charges) {
            let apart = cell.to_cart(subtract(*xj, *xi).map(|x| x - x.round()));
            let reach = r_max + norm(apart);
            visit_lattice(cell.vectors(), cell.reciprocal(), reach, |_, lattice| {
                let r = norm(std::array::from_fn(|i| lattice[i] + apart[i]));
                if r > 1e-8 && r < r_max {
                    real_sum += zi * zj * libm::erfc(eta.sqrt() * r) / r;
                }
            });
        }
    }
    0.5 * real_sum + 2.0 * PI / cell.volume() * reciprocal_sum
        - (eta / PI).sqrt() * squares
        - PI / (2.0 * cell.volume() * eta) * total * total
}

/// Calls `visit` for all lattice vectors `Σ nᵢ rowᵢ` that can be shorter than `reach`; `dual` are
/// the rows of the dual lattice with 2π included: `|nᵢ| ≤ |dualᵢ| reach / 2π`.
fn visit_lattice(
    rows: [Vector3; 3],
    dual: [Vector3; 3],
    reach: f64,
    mut visit: impl FnMut([i32; 3], Vector3),
) {
    let limits = dual.map(|v| (norm(v) * reach / (2.0 * PI)).floor() as i32);
    for i in -limits[0]..=limits[0] {
        for j in -limits[1]..=limits[1] {
            for k in -limits[2]..=limits[2] {
                let n = [i, j, k];
                visit(n, crate::vector::combine_rows(n.map(f64::from), rows));
            }
        }
    }
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
                let frac = [[0.1, 0.2, 0.3], [0.6, 0.7, 0.8]];
                let energy = point_charge_energy(&cell, &frac, &[1.0, -1.0], eta);
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
        let energy = point_charge_energy(&cell, &[[0.0; 3]], &[1.0], 0.3);
        assert!(
            (energy * r_s + 0.895_929_255_682).abs() < 1e-11,
            "{}",
            energy * r_s
        );
    }
}
