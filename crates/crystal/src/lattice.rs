//! Lattices: three vectors, their lengths and angles, and their reciprocal.

use serde::{Deserialize, Serialize};

use crate::{
    CrystalError,
    matrix::{cross, determinant, dot},
};

/// Three lattice vectors as rows, each 0.01 to 10 000 Å long, in Å.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[[f64; 3]; 3]", into = "[[f64; 3]; 3]")]
pub struct Lattice {
    vectors: [[f64; 3]; 3],
}

/// Lengths in Å that a lattice vector can have.
const LENGTHS_ANG: std::ops::RangeInclusive<f64> = 0.01..=1e4;

impl Lattice {
    /// A lattice from its row vectors in Å.
    ///
    /// # Errors
    /// [`CrystalError::InvalidLattice`] if a vector is not 0.01 to 10 000 Å long or the volume
    /// vanishes.
    pub fn new(vectors: [[f64; 3]; 3]) -> Result<Self, CrystalError> {
        let lattice = Self { vectors };
        let lengths = lattice.lengths();
        for (vector, length) in vectors.iter().zip(lengths) {
            if !LENGTHS_ANG.contains(&length) {
                return Err(CrystalError::InvalidLattice(format!(
                    "the vector {vector:?} is {length:?} Å long, expected {} to {} Å",
                    LENGTHS_ANG.start(),
                    LENGTHS_ANG.end()
                )));
            }
        }
        let longest = lengths.into_iter().fold(0.0, f64::max);
        let volume = lattice.signed_volume().abs();
        if !volume.is_finite() || volume <= 1e-9 * longest.powi(3) {
            return Err(CrystalError::InvalidLattice(format!(
                "the vectors {vectors:?} span a volume of {volume} Å³, expected a positive one"
            )));
        }
        Ok(lattice)
    }

    /// A lattice from lengths (Å) and angles (degrees), with **c** along z and **a** in the xz
    /// plane (the convention of pymatgen's `Lattice.from_parameters`).
    ///
    /// # Errors
    /// [`CrystalError::InvalidLattice`] if no cell has these parameters.
    pub fn from_parameters(lengths: [f64; 3], angles: [f64; 3]) -> Result<Self, CrystalError> {
        for (name, length) in ["a", "b", "c"].iter().zip(lengths) {
            if !LENGTHS_ANG.contains(&length) {
                return Err(CrystalError::InvalidLattice(format!(
                    "{name} is {length:?}, expected {} to {} Å",
                    LENGTHS_ANG.start(),
                    LENGTHS_ANG.end()
                )));
            }
        }
        for (name, angle) in ["alpha", "beta", "gamma"].iter().zip(angles) {
            if !(angle > 0.0 && angle < 180.0) {
                return Err(CrystalError::InvalidLattice(format!(
                    "{name} is {angle:?}, expected more than 0 and less than 180 degrees"
                )));
            }
        }
        let [alpha, beta, gamma] = angles;
        if alpha + beta + gamma >= 360.0
            || alpha >= beta + gamma
            || beta >= alpha + gamma
            || gamma >= alpha + beta
        {
            return Err(CrystalError::InvalidLattice(format!(
                "no cell has the angles {alpha}, {beta} and {gamma}: expected each to be less \
                 than the sum of the others, and all to be less than 360 degrees together"
            )));
        }
        let [a, b, c] = lengths;
        let ([sin_alpha, sin_beta, _], [cos_alpha, cos_beta, cos_gamma]) =
            (angles.map(sin_degrees), angles.map(cos_degrees));
        let cos_gamma_star =
            ((cos_alpha * cos_beta - cos_gamma) / (sin_alpha * sin_beta)).clamp(-1.0, 1.0);
        let sin_gamma_star = (1.0 - cos_gamma_star * cos_gamma_star).sqrt();
        Self::new([
            [a * sin_beta, 0.0, a * cos_beta],
            [
                -b * sin_alpha * cos_gamma_star,
                b * sin_alpha * sin_gamma_star,
                b * cos_alpha,
            ],
            [0.0, 0.0, c],
        ])
    }

    /// The row vectors in Å.
    pub fn vectors(&self) -> [[f64; 3]; 3] {
        self.vectors
    }

    /// Lengths a, b, c in Å.
    pub fn lengths(&self) -> [f64; 3] {
        self.vectors.map(|v| dot(v, v).sqrt())
    }

    /// Angles α, β, γ in degrees.
    pub fn angles(&self) -> [f64; 3] {
        let [a, b, c] = self.vectors;
        let angle = |u: [f64; 3], v: [f64; 3]| {
            (dot(u, v) / (dot(u, u) * dot(v, v)).sqrt())
                .clamp(-1.0, 1.0)
                .acos()
                .to_degrees()
        };
        [angle(b, c), angle(a, c), angle(a, b)]
    }

    /// Cell volume in Å³.
    pub fn volume(&self) -> f64 {
        self.signed_volume().abs()
    }

    /// The Cartesian position (Å) of a fractional one.
    pub fn to_cart(&self, frac: [f64; 3]) -> [f64; 3] {
        let v = self.vectors;
        std::array::from_fn(|x| frac[0] * v[0][x] + frac[1] * v[1][x] + frac[2] * v[2][x])
    }

    /// The fractional position of a Cartesian one (Å).
    pub fn to_frac(&self, cart: [f64; 3]) -> [f64; 3] {
        let [a, b, c] = self.vectors;
        let volume = self.signed_volume();
        [
            dot(cart, cross(b, c)),
            dot(cart, cross(c, a)),
            dot(cart, cross(a, b)),
        ]
        .map(|x| x / volume)
    }

    /// Metric tensor `G = M Mᵀ` in Å²: `|frac · M|² = fracᵀ G frac`.
    pub fn metric(&self) -> [[f64; 3]; 3] {
        self.vectors.map(|u| self.vectors.map(|v| dot(u, v)))
    }

    /// Reciprocal lattice vectors as rows, without the factor 2π: `aᵢ · bⱼ = δᵢⱼ`.
    pub fn reciprocal(&self) -> [[f64; 3]; 3] {
        let [a, b, c] = self.vectors;
        let volume = self.signed_volume();
        [cross(b, c), cross(c, a), cross(a, b)].map(|v| v.map(|x| x / volume))
    }

    /// The lattice with every length multiplied by `factor`.
    pub fn scaled(&self, factor: f64) -> Self {
        Self {
            vectors: self.vectors.map(|v| v.map(|x| x * factor)),
        }
    }

    /// The lattice of the negated vectors, which has the other handedness.
    pub(crate) fn inverted(&self) -> Self {
        Self {
            vectors: self.vectors.map(|v| v.map(|x| 0.0 - x)),
        }
    }

    /// Whether **a** · (**b** × **c**) is negative.
    pub fn is_left_handed(&self) -> bool {
        self.signed_volume() < 0.0
    }

    fn signed_volume(&self) -> f64 {
        determinant(self.vectors)
    }
}

impl TryFrom<[[f64; 3]; 3]> for Lattice {
    type Error = CrystalError;

    fn try_from(vectors: [[f64; 3]; 3]) -> Result<Self, CrystalError> {
        Self::new(vectors)
    }
}

impl From<Lattice> for [[f64; 3]; 3] {
    fn from(lattice: Lattice) -> Self {
        lattice.vectors
    }
}

/// Exact at multiples of 90°, where `cos(x.to_radians())` leaves 6e-17.
fn cos_degrees(angle: f64) -> f64 {
    if angle == 90.0 {
        0.0
    } else {
        angle.to_radians().cos()
    }
}

fn sin_degrees(angle: f64) -> f64 {
    angle.to_radians().sin()
}
