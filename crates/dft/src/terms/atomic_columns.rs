//! Functions of the atoms on the plane waves of one k-point: projectors and atomic orbitals.

use std::f64::consts::{SQRT_2, TAU};

use rustfft::num_complex::Complex64;

use crate::{
    basis::{PlaneWaveBasis, TimeReversal, WaveBasis},
    linear_algebra::Scalar,
    pseudo::{Pseudopotential, real_spherical_harmonics},
    structure_factor::StructurePhases,
    vector::{dot, norm},
};

/// A radial function in reciprocal space and its angular momentum.
pub(crate) struct RadialFunction {
    pub(crate) l: usize,
    /// f(|k+G|) of each plane wave.
    pub(crate) values: Vec<f64>,
}

/// Which part of an atom's function is meant.
///
/// Where inversion about the origin makes all bands real, the function of an atom on a centre of
/// inversion is real but for a constant phase, and those of a pair of atoms that inversion
/// exchanges are, likewise but for a phase, conjugate: `(a, b) → √2 (Re a, Im a)` is a unitary change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Real,
    Imaginary,
}

/// A number that functions of atoms can be written in.
pub(crate) trait AtomicScalar: Scalar {
    /// The atom whose function, and the part of it, that stands in the place of atom `atom`.
    fn place(inversion: Option<&[usize]>, atom: usize) -> (usize, Part);

    /// Appends a function, or its part, to a matrix.
    fn append(column: AtomicColumn<'_>, matrix: &mut Vec<Self>);
}

/// `(−i)^l value e^{−iG·τ}` of each plane wave.
pub(crate) struct AtomicColumn<'a> {
    l: usize,
    values: &'a [f64],
    phases: &'a [Complex64],
    part: Part,
    /// What makes real bands of the waves, and the phase `e^{−ik·τ}`, which matters there only.
    reversal: Option<(&'a TimeReversal, Complex64)>,
}

impl AtomicScalar for Complex64 {
    fn place(_: Option<&[usize]>, atom: usize) -> (usize, Part) {
        (atom, Part::Whole)
    }

    fn append(column: AtomicColumn<'_>, matrix: &mut Vec<Self>) {
        let factor = minus_i_to_the(column.l);
        let pairs = column.values.iter().zip(column.phases);
        matrix.extend(pairs.map(|(&value, phase)| factor * phase * value));
    }
}

impl AtomicScalar for f64 {
    fn place(inversion: Option<&[usize]>, atom: usize) -> (usize, Part) {
        let image = inversion.map_or(atom, |images| images[atom]);
        match atom.cmp(&image) {
            std::cmp::Ordering::Less => (atom, Part::Real),
            std::cmp::Ordering::Equal => (atom, Part::Whole),
            std::cmp::Ordering::Greater => (image, Part::Imaginary),
        }
    }

    fn append(column: AtomicColumn<'_>, matrix: &mut Vec<Self>) {
        let AtomicColumn {
            l,
            values,
            phases,
            part,
            reversal,
        } = column;
        if let Some((reversal, k_phase)) = reversal {
            let factor = minus_i_to_the(l) * k_phase;
            let first = matrix.len();
            matrix.resize(first + values.len(), 0.0);
            for pair in reversal.pairs() {
                let c = factor * phases[pair.q] * values[pair.q];
                pair.add(c, &mut matrix[first..]);
            }
            return;
        }
        // With z = (−i)^l e^{−iG·τ}: √2 Re z, √2 Im z, and z but for the constant phase i^(l mod 2).
        let (scale, quarter_turns) = match part {
            Part::Real => (SQRT_2, l),
            Part::Imaginary => (SQRT_2, l + 1),
            Part::Whole => (1.0, l - l % 2),
        };
        // Re [(−i)^n e^{iφ}] is cos φ, sin φ, −cos φ, −sin φ, …
        let signed = if quarter_turns % 4 < 2 { scale } else { -scale };
        let pairs = values.iter().zip(phases);
        if quarter_turns.is_multiple_of(2) {
            matrix.extend(pairs.map(|(value, phase)| signed * (phase.re * value)));
        } else {
            matrix.extend(pairs.map(|(value, phase)| signed * (phase.im * value)));
        }
    }
}

/// Fills `matrix` with `(−i)^l f(q) Y_lm(q̂) e^{−iG·τ}` of all radial functions and m of all atoms,
/// one column each, atoms in order; but for the phase `e^{−ik·τ}` of an atom, which no result depends
/// on; where time reversal makes bands real it is there.
pub(crate) fn atomic_columns<S: AtomicScalar>(
    basis: &PlaneWaveBasis,
    waves: &WaveBasis,
    functions: impl Fn(&Pseudopotential, &[f64]) -> Vec<RadialFunction>,
    matrix: &mut Vec<S>,
) {
    let n = waves.len();
    let model = &basis.model;
    let q_cart = waves.q_cart(&model.cell);
    let lengths: Vec<f64> = q_cart.iter().map(|&q| norm(q)).collect();
    // The radial and angular parts are those of the species; atoms differ by phases.
    let radial_by_species: Vec<Vec<RadialFunction>> = (model.species.iter())
        .map(|species| functions(species, &lengths))
        .collect();
    let all_l = radial_by_species.iter().flatten().map(|f| f.l);
    let l_max = all_l.max().unwrap_or(0);
    let angular: Vec<f64> = (q_cart.iter())
        .flat_map(|&q| real_spherical_harmonics(l_max, q))
        .collect();
    let of_each_wave = || angular.chunks_exact((l_max + 1) * (l_max + 1));
    let by_species: Vec<Vec<(usize, Vec<f64>)>> = (radial_by_species.iter())
        .map(|radial| {
            let harmonics = radial.iter().flat_map(|f| {
                let of_l = f.l * f.l..(f.l + 1) * (f.l + 1);
                of_l.map(move |harmonic| (f, harmonic))
            });
            let column = |(f, harmonic): (&RadialFunction, usize)| {
                let values = f
                    .values
                    .iter()
                    .zip(of_each_wave())
                    .map(|(f, y)| f * y[harmonic]);
                (f.l, values.collect())
            };
            harmonics.map(column).collect()
        })
        .collect();
    let columns = model
        .atoms
        .iter()
        .map(|atom| by_species[atom.species].len());
    // Exactly: what grows holds up to twice its contents, at each k-point.
    matrix.clear();
    matrix.reserve_exact(n * columns.sum::<usize>());
    for atom in 0..model.atoms.len() {
        let (atom, part) = S::place(basis.inversion.as_deref(), atom);
        let atom = &model.atoms[atom];
        let phases = StructurePhases::new(atom.frac, &waves.miller);
        let phases: Vec<Complex64> = waves.miller.iter().map(|&m| phases.phase(m)).collect();
        let k_phase = Complex64::cis(-TAU * dot(waves.k_point.frac, atom.frac));
        for (l, values) in &by_species[atom.species] {
            let column = AtomicColumn {
                l: *l,
                values,
                phases: &phases,
                part,
                reversal: waves.reversal.as_ref().map(|r| (r, k_phase)),
            };
            S::append(column, matrix);
        }
    }
}

/// `(−i)^l`
pub(crate) fn minus_i_to_the(l: usize) -> Complex64 {
    [
        Complex64::new(1.0, 0.0),
        Complex64::new(0.0, -1.0),
        Complex64::new(-1.0, 0.0),
        Complex64::new(0.0, 1.0),
    ][l % 4]
}
