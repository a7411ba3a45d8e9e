//! The augmentation charges' density, overlap and couplings.

use std::{num::NonZeroUsize, sync::Arc};

use rustfft::num_complex::Complex64;

use crate::{
    DftError,
    basis::DensityGrid,
    cancellation::Cancellation,
    linear_algebra::ZERO,
    model::Model,
    parallel::parallel_map,
    pseudo::{Pseudopotential, RadialTable, real_spherical_harmonics},
    structure_factor::StructurePhases,
    terms::{
        harmonic_table::HarmonicTable, pair_expansion::PairExpansion,
        projector_channels::projector_sides, projector_matrices::ProjectorMatrices,
    },
};

/// What the augmentation charges of all atoms need, computed once for a cell.
#[derive(Debug, Clone)]
pub(crate) struct AugmentationCharges {
    /// Each species' charges; `None` for norm-conserving ones.
    species: Vec<Option<SpeciesCharges>>,
    /// Species and the phases of each atom.
    atoms: Vec<(usize, StructurePhases)>,
    sides: Vec<usize>,
    /// One G of each pair ±G, and its opposite; G = 0 is its own.
    half: Vec<(u32, u32)>,
    /// Y_LM of each G in `half`, up to the largest L.
    harmonics: Vec<f64>,
    harmonic_count: usize,
}

#[derive(Debug, Clone)]
struct SpeciesCharges {
    expansion: PairExpansion,
    /// Q^L_ij of all radial functions.
    tables: Arc<Vec<RadialTable>>,
    /// `∫ Q_ij d³r`, row by row.
    overlap: Vec<f64>,
}

impl AugmentationCharges {
    /// `None` if no species has augmentation charges.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn new(
        model: &Model,
        grid: &DensityGrid,
        cancellation: Cancellation<'_>,
    ) -> Result<Option<Self>, DftError> {
        let species: Vec<Option<SpeciesCharges>> = (model.species.iter())
            .map(|species| SpeciesCharges::new(species, grid, cancellation))
            .collect::<Result<_, _>>()?;
        let of_species = species.iter().flatten();
        let Some(l_max) = of_species.map(|s| s.expansion.l_max()).max() else {
            return Ok(None);
        };
        let mut pace = cancellation.pace();
        let half = grid.opposite_pairs();
        let harmonic_count = (l_max + 1) * (l_max + 1);
        let mut harmonics = Vec::with_capacity(half.len() * harmonic_count);
        for &(g, _) in &half {
            pace.spend(harmonic_count)?;
            harmonics.extend(real_spherical_harmonics(l_max, grid.g_cart[g as usize]));
        }
        Ok(Some(Self {
            harmonics,
            harmonic_count,
            half,
            atoms: (model.atoms.iter())
                .map(|atom| (atom.species, StructurePhases::new(atom.frac, &grid.miller)))
                .collect(),
            sides: projector_sides(model),
            species,
        }))
    }

    /// The overlaps q_ij of all atoms.
    pub(crate) fn overlap(&self) -> ProjectorMatrices {
        let mut matrices = ProjectorMatrices::zeros(self.sides.clone());
        for ((species, _), block) in self.atoms.iter().zip(matrices.blocks_mut()) {
            if let Some(charges) = &self.species[*species] {
                block.copy_from_slice(&charges.overlap);
            }
        }
        matrices
    }

    /// `ρ(G) += ρ_aug(G)` for the occupations ρ_ij; the atoms are added up in their order,
    /// whatever the number of threads.
    pub(crate) fn add_density(
        &self,
        grid: &DensityGrid,
        occupations: &ProjectorMatrices,
        threads: NonZeroUsize,
        density: &mut [Complex64],
        cancellation: Cancellation<'_>,
    ) -> Result<(), DftError> {
        let by_atom: Vec<Option<HarmonicTable>> = (self.atoms.iter().zip(occupations.blocks()))
            .map(|((species, _), block)| Some(self.species[*species].as_ref()?.table(block)))
            .collect();
        let scale = 1.0 / grid.cell.volume();
        let of_chunk = |(half, harmonics): (&[(u32, u32)], &[f64])| {
            cancellation.check()?;
            let mut sums = vec![ZERO; half.len()];
            let mut moments = vec![0.0; self.harmonic_count];
            for ((species, phases), table) in self.atoms.iter().zip(&by_atom) {
                let (Some(charges), Some(table)) = (&self.species[*species], table) else {
                    continue;
                };
                let l_max = charges.expansion.l_max();
                let points = half.iter().zip(harmonics.chunks_exact(self.harmonic_count));
                let mut of_shell = None;
                for (sum, (&(g, _), y)) in sums.iter_mut().zip(points) {
                    let g = g as usize;
                    let shell = grid.shell[g];
                    if of_shell.replace(shell) != Some(shell) {
                        table.values(grid.shell_g[shell as usize], &mut moments);
                    }
                    let value = sum_over_harmonics(l_max, y, &moments);
                    *sum += value * phases.phase(grid.miller[g]) * scale;
                }
            }
            Ok(sums)
        };
        let sums: Vec<Vec<Complex64>> = parallel_map(threads, self.chunks(), of_chunk)
            .into_iter()
            .collect::<Result<_, DftError>>()?;
        for (&(g, opposite), value) in self.half.iter().zip(sums.into_iter().flatten()) {
            density[g as usize] += value;
            if opposite != g {
                density[opposite as usize] += value.conj();
            }
        }
        Ok(())
    }

    /// `coupling_ij += ∫ V Q_ij d³r`
    pub(crate) fn add_coupling(
        &self,
        grid: &DensityGrid,
        potential: &[Complex64],
        threads: NonZeroUsize,
        coupling: &mut ProjectorMatrices,
        cancellation: Cancellation<'_>,
    ) -> Result<(), DftError> {
        let work = self.atoms.iter().zip(coupling.blocks_mut());
        let done = parallel_map(threads, work, |((species, phases), block)| {
            let Some(charges) = &self.species[*species] else {
                return Ok(());
            };
            let mut pace = cancellation.pace();
            let (expansion, tables) = (&charges.expansion, &charges.tables);
            let l_max = expansion.l_max();
            let mut table = HarmonicTable::zeros(expansion, tables);
            let mut of_shell = vec![0.0; self.harmonic_count];
            let waves = self.half.iter();
            let points = waves.zip(self.harmonics.chunks_exact(self.harmonic_count));
            let mut points = points.peekable();
            while let Some((&(g, opposite), y)) = points.next() {
                pace.spend(self.harmonic_count)?;
                let weight = if opposite == g { 1.0 } else { 2.0 };
                let g = g as usize;
                let z = potential[g].conj() * phases.phase(grid.miller[g]) * weight;
                add_harmonics(l_max, y, z, &mut of_shell);
                let shell = grid.shell[g];
                let next = points
                    .peek()
                    .map(|((next, _), _)| grid.shell[*next as usize]);
                if next != Some(shell) {
                    table.add_at(grid.shell_g[shell as usize], &of_shell);
                    of_shell.fill(0.0);
                }
            }
            let by_moment = table.moments(expansion, tables);
            expansion.add_coupling(&by_moment, block);
            Ok(())
        });
        done.into_iter().collect()
    }

    /// The half sphere in pieces for the threads, each with its harmonics.
    fn chunks(&self) -> impl Iterator<Item = (&[(u32, u32)], &[f64])> {
        const WAVES_PER_CHUNK: usize = 4096;
        self.half
            .chunks(WAVES_PER_CHUNK)
            .zip(self.harmonics.chunks(WAVES_PER_CHUNK * self.harmonic_count))
    }
}

impl SpeciesCharges {
    fn new(
        species: &Pseudopotential,
        grid: &DensityGrid,
        cancellation: Cancellation<'_>,
    ) -> Result<Option<Self>, DftError> {
        let Some(expansion) = PairExpansion::new(species) else {
            return Ok(None);
        };
        let q_max = grid.shell_g.last().copied().unwrap_or(0.0);
        let tables = species.augmentation_tables_unless(cancellation, q_max)?;
        // ∫ Q_ij is Q_ij(G = 0), of which only L = 0 is left, with Y_00 = 1/√4π.
        let mut at_zero = vec![0.0; expansion.moment_count()];
        for (function, &l) in expansion.function_l().iter().enumerate() {
            if l == 0 {
                let y_00 = real_spherical_harmonics(0, [0.0; 3])[0];
                at_zero[expansion.moments_of(function).start] = y_00 * tables[function].value(0.0);
            }
        }
        let side: usize = species.projector_l().iter().map(|l| 2 * l + 1).sum();
        let mut overlap = vec![0.0; side * side];
        expansion.add_coupling(&at_zero, &mut overlap);
        Ok(Some(Self {
            expansion,
            tables,
            overlap,
        }))
    }

    /// `Σ_f Q_f(q) B_fM` of each LM.
    fn table(&self, occupations: &[f64]) -> HarmonicTable {
        let moments = self.expansion.moments(occupations);
        HarmonicTable::of_moments(&self.expansion, &self.tables, &moments)
    }
}

/// `Σ_LM (−i)^L Y_LM c_LM`
pub(super) fn sum_over_harmonics(l_max: usize, y: &[f64], c: &[f64]) -> Complex64 {
    // 1, −i, −1, i, 1, …
    let mut parts = [0.0; 4];
    for l in 0..=l_max {
        let range = l * l..(l + 1) * (l + 1);
        let pairs = y[range.clone()].iter().zip(&c[range]);
        parts[l % 4] += pairs.map(|(y, c)| y * c).sum::<f64>();
    }
    Complex64::new(parts[0] - parts[2], parts[3] - parts[1])
}

/// `c_LM += Re[z (−i)^L] Y_LM`
fn add_harmonics(l_max: usize, y: &[f64], z: Complex64, c: &mut [f64]) {
    let parts = [z.re, z.im, -z.re, -z.im];
    for l in 0..=l_max {
        let range = l * l..(l + 1) * (l + 1);
        for (c, y) in c[range.clone()].iter_mut().zip(&y[range]) {
            *c += parts[l % 4] * y;
        }
    }
}
