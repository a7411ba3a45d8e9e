//! The density of the valence electrons in real space.

use std::io::{self, Write};

use crate::{basis::PlaneWaveBasis, cell::Cell, model::Model, scf::ScfResult, vector::Vector3};

/// The density of the valence electrons at the points of the FFT box.
///
/// PAW and ultrasoft densities hold their augmentation charges; the density inside the PAW spheres
/// is the pseudo one.
#[derive(Debug, Clone, PartialEq)]
pub struct ChargeDensity {
    /// Number of points along each lattice vector.
    pub shape: [usize; 3],
    /// Electrons/bohr³, `[i][j][k]` with k, along the third lattice vector, fastest.
    pub values: Vec<f64>,
    cell: Cell,
    /// Atomic number, valence and fractional position of each atom.
    atoms: Vec<(u8, f64, Vector3)>,
}

impl ChargeDensity {
    /// The density of a calculation.
    pub fn of(basis: &PlaneWaveBasis, result: &ScfResult) -> Self {
        let grid = &basis.density_grid;
        let [n1, n2, n3] = grid.fft.dims();
        let real = grid.to_real(&result.density.field);
        let mut values = Vec::with_capacity(real.len());
        for i in 0..n1 {
            for j in 0..n2 {
                values.extend((0..n3).map(|k| real[(k * n2 + j) * n1 + i]));
            }
        }
        let model: &Model = &basis.model;
        let atoms = model.atoms.iter().map(|atom| {
            let species = &model.species[atom.species];
            (
                species.element().atomic_number(),
                species.z_valence(),
                atom.frac,
            )
        });
        Self {
            shape: [n1, n2, n3],
            values,
            cell: model.cell,
            atoms: atoms.collect(),
        }
    }

    /// `∫ ρ d³r`
    pub fn electrons(&self) -> f64 {
        self.cell.volume() * self.values.iter().sum::<f64>() / self.values.len() as f64
    }

    /// Writes a Gaussian cube file: two lines of text, the atoms, the steps of the mesh, and the
    /// values, six a line; lengths in bohr.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_cube(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "valence electron density")?;
        writeln!(
            out,
            "electrons/bohr^3; lengths in bohr; third index fastest"
        )?;
        writeln!(
            out,
            "{:5} {:12.6} {:12.6} {:12.6}",
            self.atoms.len(),
            0.0,
            0.0,
            0.0
        )?;
        for (&n, vector) in self.shape.iter().zip(self.cell.vectors()) {
            let [x, y, z] = vector.map(|x| x / n as f64);
            writeln!(out, "{n:5} {x:12.8} {y:12.8} {z:12.8}")?;
        }
        for &(number, valence, frac) in &self.atoms {
            let [x, y, z] = self.cell.to_cart(frac);
            writeln!(out, "{number:5} {valence:12.6} {x:12.8} {y:12.8} {z:12.8}")?;
        }
        for row in self.values.chunks(self.shape[2].max(1)) {
            for line in row.chunks(6) {
                for value in line {
                    write!(out, " {value:14.7E}")?;
                }
                writeln!(out)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroUsize, sync::Arc};

    use super::*;
    use crate::{
        Atom, Discretisation, KMesh, Occupations, ScfControl, ScfOptions, pseudo::Pseudopotential,
        self_consistent_field,
    };

    /// Oracle: the number of electrons, the crystal's bonds, where the density of diamond-like
    /// silicon is highest, and the file's own numbers read back.
    #[test]
    fn density_of_silicon() {
        let h = 5.13;
        let silicon = Pseudopotential::gth_pbe("Si".parse().unwrap()).unwrap();
        let model = Model {
            cell: Cell::new([[0.0, h, h], [h, 0.0, h], [h, h, 0.0]]).unwrap(),
            functional: silicon.functional(),
            species: vec![Arc::new(silicon)],
            atoms: [[0.0; 3], [0.25; 3]]
                .map(|frac| Atom { species: 0, frac })
                .to_vec(),
            occupations: Occupations::Fixed,
        };
        let discretisation = Discretisation {
            ecut_ha: 5.0,
            ecut_density_ha: 20.0,
            k_mesh: KMesh::gamma_centred([2; 3]),
            use_symmetry: true,
        };
        let basis = PlaneWaveBasis::new(Arc::new(model), discretisation).unwrap();
        let options = ScfOptions {
            threads: NonZeroUsize::MIN,
            ..ScfOptions::default()
        };
        let result = self_consistent_field(&basis, &options, ScfControl::default()).unwrap();
        let density = ChargeDensity::of(&basis, &result);
        assert!((density.electrons() - 8.0).abs() < 1e-9);
        let [n1, n2, n3] = density.shape;
        let at = |x: [f64; 3]| {
            let index = |x: f64, n: usize| (x * n as f64).round() as usize % n;
            density.values[(index(x[0], n1) * n2 + index(x[1], n2)) * n3 + index(x[2], n3)]
        };
        // The four bonds of the first atom, by its neighbours in the cells around.
        let bond = at([0.125; 3]);
        for other in [[0.625, 0.125, 0.125], [0.125, 0.625, 0.125]] {
            assert!((at(other) - bond).abs() < 0.1 * bond);
        }
        assert!(bond > 5.0 * at([0.625; 3]), "{bond}");

        let mut text = Vec::new();
        density.write_cube(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[6].trim_start().starts_with("14 "), "{}", lines[6]);
        let numbers = lines[8..].iter().flat_map(|line| line.split_whitespace());
        let read: Vec<f64> = numbers.map(|word| word.parse().unwrap()).collect();
        assert_eq!(read.len(), density.values.len());
        for (read, value) in read.iter().zip(&density.values) {
            assert!((read - value).abs() < 1e-7);
        }
    }
}
