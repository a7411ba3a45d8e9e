//! Fields that are sums over the atoms, one form factor a species, and what follows when atoms or cell move.

use rustfft::num_complex::Complex64;

use super::strain::add_outer;
use crate::{
    DftError,
    basis::DensityGrid,
    cancellation::Cancellation,
    model::{Atom, Model},
    structure_factor::StructurePhases,
    vector::{Matrix3, Vector3},
};

/// Steps of a form factor that is integrated over a radial mesh.
const STEPS_PER_SHELL: usize = 4096;

/// `Ω⁻¹ Σ_species f(|G|) Σ_atoms e^{−iG·τ}`; f is evaluated once a shell.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn sum_over_atoms(
    cancellation: Cancellation<'_>,
    model: &Model,
    grid: &DensityGrid,
    form_factor: impl Fn(usize, f64) -> f64,
) -> Result<Vec<Complex64>, DftError> {
    let mut pace = cancellation.pace();
    let mut field = vec![Complex64::new(0.0, 0.0); grid.len()];
    for species in 0..model.species.len() {
        let atoms = || model.atoms.iter().filter(|atom| atom.species == species);
        if atoms().next().is_none() {
            continue;
        }
        let mut by_shell: Vec<f64> = Vec::with_capacity(grid.shell_g.len());
        for &g in &grid.shell_g {
            pace.spend(STEPS_PER_SHELL)?;
            by_shell.push(form_factor(species, g) / model.cell.volume());
        }
        for atom in atoms() {
            let phases = StructurePhases::new(atom.frac, &grid.miller);
            for (g, value) in field.iter_mut().enumerate() {
                pace.spend(1)?;
                *value += by_shell[grid.shell[g] as usize] * phases.phase(grid.miller[g]);
            }
        }
    }
    Ok(field)
}

/// `−∂/∂τ Σ_G Re f* h(|G|) e^{−iG·τ}` for each atom, h the form factor of its species.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn form_factor_forces(
    cancellation: Cancellation<'_>,
    model: &Model,
    grid: &DensityGrid,
    f: &[Complex64],
    form_factor: impl Fn(usize, f64) -> f64,
) -> Result<Vec<Vector3>, DftError> {
    let mut pace = cancellation.pace();
    let mut by_shell: Vec<Vec<f64>> = Vec::with_capacity(model.species.len());
    for species in 0..model.species.len() {
        let occurs = model.atoms.iter().any(|atom| atom.species == species);
        let mut form = Vec::new();
        for &g in grid.shell_g.iter().filter(|_| occurs) {
            pace.spend(STEPS_PER_SHELL)?;
            form.push(form_factor(species, g));
        }
        by_shell.push(form);
    }
    let of_atom = |atom: &Atom| {
        let mut force = [0.0; 3];
        let form = &by_shell[atom.species];
        let phases = StructurePhases::new(atom.frac, &grid.miller);
        for (index, f) in f.iter().enumerate() {
            pace.spend(1)?;
            // Re f* (−iG) h = G Im(f* h)
            let h = phases.phase(grid.miller[index]) * form[grid.shell[index] as usize];
            let factor = (f.conj() * h).im;
            for (force, g) in force.iter_mut().zip(grid.g_cart[index]) {
                *force -= g * factor;
            }
        }
        Ok(force)
    };
    model.atoms.iter().map(of_atom).collect()
}

/// `−Ω Σ_{G≠0} Re f* h G_a G_b / |G|`, where h is the derivative of a field by |G|.
pub(crate) fn form_factor_strain(grid: &DensityGrid, f: &[Complex64], h: &[Complex64]) -> Matrix3 {
    let mut sum = [[0.0; 3]; 3];
    let waves = grid.g_cart.iter().zip(&grid.g2);
    for ((f, h), (&g, g2)) in f.iter().zip(h).zip(waves).skip(1) {
        let factor = -grid.cell.volume() * (f.re * h.re + f.im * h.im) / g2.sqrt();
        add_outer(&mut sum, factor, g, g);
    }
    sum
}
