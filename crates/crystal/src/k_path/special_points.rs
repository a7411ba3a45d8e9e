//! Tables of special points, in units of the reciprocal vectors of a conventional cell.

use crate::{
    CrystalError, Lattice,
    matrix::{Matrix3, multiply},
};

/// The vectors whose reciprocal ones a table is written in.
pub(super) struct Frame {
    /// They are the rows of this times the structure's own vectors.
    pub(super) transformation: Matrix3,
    cell: Lattice,
    /// In Å.
    pub(super) lengths: [f64; 3],
    structure: Lattice,
}

impl Frame {
    pub(super) fn new(transformation: Matrix3, structure: &Lattice) -> Result<Self, CrystalError> {
        let cell = Lattice::new(multiply(transformation, structure.vectors()))?;
        Ok(Self {
            transformation,
            lengths: cell.lengths(),
            cell,
            structure: *structure,
        })
    }

    fn changed(&self, rows: Matrix3) -> Result<Self, CrystalError> {
        Self::new(multiply(rows, self.transformation), &self.structure)
    }

    /// The axes of these indices as first, second and third.
    pub(super) fn with_axes(&self, axes: [usize; 3]) -> Result<Self, CrystalError> {
        self.changed(axes.map(|axis| {
            let mut row = [0.0; 3];
            row[axis] = 1.0;
            row
        }))
    }

    /// The primitive vectors of a rhombohedral lattice in the obverse setting of the hexagonal cell.
    pub(super) fn rhombohedral(&self) -> Result<Self, CrystalError> {
        let third = 1.0 / 3.0;
        self.changed([
            [2.0 * third, third, third],
            [-third, third, third],
            [-third, -2.0 * third, third],
        ])
    }

    /// The two shortest vectors across the unique axis b, at an angle that is not acute.
    pub(super) fn reduced_in_plane(&self) -> Result<Self, CrystalError> {
        let metric = self.cell.metric();
        let product = |u: [f64; 2], v: [f64; 2]| {
            let axes = [0, 2];
            let pairs = axes.iter().enumerate();
            pairs
                .flat_map(|(i, &row)| axes.iter().enumerate().map(move |(j, &c)| (i, j, row, c)))
                .map(|(i, j, row, column)| u[i] * metric[row][column] * v[j])
                .sum::<f64>()
        };
        let (mut a, mut c) = ([1.0, 0.0], [0.0, 1.0]);
        // Gauss's reduction: the longer loses multiples of the shorter until nothing gets shorter.
        loop {
            if product(a, a) > product(c, c) {
                (a, c) = (c, a);
            }
            let times = (product(a, c) / product(a, a)).round();
            if times == 0.0 {
                break;
            }
            let shorter = [c[0] - times * a[0], c[1] - times * a[1]];
            if product(shorter, shorter) >= product(c, c) * (1.0 - 1e-12) {
                break;
            }
            c = shorter;
        }
        if product(a, c) > 0.0 {
            c = c.map(|x| -x);
        }
        self.changed([[a[0], 0.0, a[1]], [0.0, 1.0, 0.0], [c[0], 0.0, c[1]]])
    }
}

/// The special points of a kind of lattice and the path through them.
pub(super) struct Table {
    pub(super) name: &'static str,
    points: Vec<(&'static str, [f64; 3])>,
    /// Labels joined by `-`, parts by `|`.
    pub(super) path: &'static str,
}

/// Relative difference up to which two terms count as equal.
const SAME: f64 = 1e-5;

impl Table {
    fn new(
        name: &'static str,
        path: &'static str,
        points: impl IntoIterator<Item = (&'static str, [f64; 3])>,
    ) -> Self {
        let mut all = vec![("Γ", [0.0; 3])];
        all.extend(points);
        Self {
            name,
            points: all,
            path,
        }
    }

    pub(super) fn point(&self, label: &str) -> Option<[f64; 3]> {
        let mut points = self.points.iter();
        points
            .find(|(name, _)| *name == label)
            .map(|&(_, point)| point)
    }

    pub(super) fn cubic() -> Self {
        Self::new(
            "CUB",
            "Γ-X-M-Γ-R-X|M-R",
            [
                ("X", [0.0, 0.5, 0.0]),
                ("M", [0.5, 0.5, 0.0]),
                ("R", [0.5, 0.5, 0.5]),
            ],
        )
    }

    pub(super) fn face_centred_cubic() -> Self {
        Self::new(
            "FCC",
            "Γ-X-W-K-Γ-L-U-W-L-K|U-X",
            [
                ("X", [0.0, 1.0, 0.0]),
                ("W", [0.5, 1.0, 0.0]),
                ("K", [0.75, 0.75, 0.0]),
                ("L", [0.5, 0.5, 0.5]),
                ("U", [0.25, 1.0, 0.25]),
            ],
        )
    }

    pub(super) fn body_centred_cubic() -> Self {
        Self::new(
            "BCC",
            "Γ-H-N-Γ-P-H|P-N",
            [
                ("H", [0.0, 1.0, 0.0]),
                ("N", [0.5, 0.5, 0.0]),
                ("P", [0.5, 0.5, 0.5]),
            ],
        )
    }

    pub(super) fn tetragonal() -> Self {
        Self::new(
            "TET",
            "Γ-X-M-Γ-Z-R-A-Z|X-R|M-A",
            [
                ("X", [0.0, 0.5, 0.0]),
                ("M", [0.5, 0.5, 0.0]),
                ("Z", [0.0, 0.0, 0.5]),
                ("R", [0.0, 0.5, 0.5]),
                ("A", [0.5, 0.5, 0.5]),
            ],
        )
    }

    pub(super) fn body_centred_tetragonal(frame: &Frame) -> Self {
        let ratio2 = (frame.lengths[2] / frame.lengths[0]).powi(2);
        if ratio2 < 1.0 {
            let eta = (1.0 + ratio2) / 4.0;
            return Self::new(
                "BCT1",
                "Γ-X-M-Γ-Z-P-N-Z1-M|X-P",
                [
                    ("X", [0.5, 0.5, 0.0]),
                    ("M", [1.0, 0.0, 0.0]),
                    ("Z", [0.0, 0.0, 2.0 * eta]),
                    ("P", [0.5, 0.5, 0.5]),
                    ("N", [0.5, 0.0, 0.5]),
                    ("Z1", [1.0, 0.0, 1.0 - 2.0 * eta]),
                ],
            );
        }
        let (eta, zeta) = ((1.0 + 1.0 / ratio2) / 4.0, 0.5 / ratio2);
        Self::new(
            "BCT2",
            "Γ-X-Y-Σ-Γ-Z-Σ1-N-P-Y1-Z|X-P",
            [
                ("X", [0.5, 0.5, 0.0]),
                ("Y", [0.5 + zeta, 0.5 - zeta, 0.0]),
                ("Σ", [2.0 * eta, 0.0, 0.0]),
                ("Z", [0.0, 0.0, 1.0]),
                ("Σ1", [1.0 - 2.0 * eta, 0.0, 1.0]),
                ("N", [0.5, 0.0, 0.5]),
                ("P", [0.5, 0.5, 0.5]),
                ("Y1", [0.5 - zeta, 0.5 - zeta, 1.0]),
            ],
        )
    }

    pub(super) fn orthorhombic() -> Self {
        Self::new(
            "ORC",
            "Γ-X-S-Y-Γ-Z-U-R-T-Z|Y-T|U-X|S-R",
            [
                ("X", [0.5, 0.0, 0.0]),
                ("Y", [0.0, 0.5, 0.0]),
                ("Z", [0.0, 0.0, 0.5]),
                ("S", [0.5, 0.5, 0.0]),
                ("U", [0.5, 0.0, 0.5]),
                ("T", [0.0, 0.5, 0.5]),
                ("R", [0.5, 0.5, 0.5]),
            ],
        )
    }

    /// a < b < c.
    pub(super) fn face_centred_orthorhombic(frame: &Frame) -> Self {
        let [a2, b2, c2] = frame.lengths.map(|length| length * length);
        let difference = 1.0 / a2 - 1.0 / b2 - 1.0 / c2;
        if difference < -SAME / a2 {
            let eta = (1.0 + a2 / b2 - a2 / c2) / 4.0;
            let delta = (1.0 + b2 / a2 - b2 / c2) / 4.0;
            let phi = (1.0 + c2 / b2 - c2 / a2) / 4.0;
            return Self::new(
                "ORCF2",
                "Γ-Y-C-D-X-Γ-Z-D1-H-C|C1-Z|X-H1|H-Y|L-Γ",
                [
                    ("X", [1.0, 0.0, 0.0]),
                    ("Y", [0.0, 1.0, 0.0]),
                    ("Z", [0.0, 0.0, 1.0]),
                    ("L", [0.5, 0.5, 0.5]),
                    ("C", [1.0 - 2.0 * eta, 1.0, 0.0]),
                    ("C1", [2.0 * eta, 0.0, 1.0]),
                    ("D", [1.0, 1.0 - 2.0 * delta, 0.0]),
                    ("D1", [0.0, 2.0 * delta, 1.0]),
                    ("H", [0.0, 1.0, 1.0 - 2.0 * phi]),
                    ("H1", [1.0, 0.0, 2.0 * phi]),
                ],
            );
        }
        let zeta = (1.0 + a2 / b2 - a2 / c2) / 4.0;
        let eta = (1.0 + a2 / b2 + a2 / c2) / 4.0;
        // Where the two terms are equal, T and X1 are one point.
        let (name, path) = match difference > SAME / a2 {
            true => ("ORCF1", "Γ-Y-T-Z-Γ-X-A1-Y|T-X1|X-A-Z|L-Γ"),
            false => ("ORCF3", "Γ-Y-T-Z-Γ-X-A1-Y|X-A-Z|L-Γ"),
        };
        Self::new(
            name,
            path,
            [
                ("X", [2.0 * eta, 0.0, 0.0]),
                ("X1", [1.0 - 2.0 * eta, 1.0, 1.0]),
                ("Y", [0.0, 1.0, 0.0]),
                ("Z", [0.0, 0.0, 1.0]),
                ("L", [0.5, 0.5, 0.5]),
                ("T", [0.0, 1.0, 1.0]),
                ("A", [2.0 * zeta, 0.0, 1.0]),
                ("A1", [1.0 - 2.0 * zeta, 1.0, 0.0]),
            ],
        )
    }

    /// a < b < c.
    pub(super) fn body_centred_orthorhombic(frame: &Frame) -> Self {
        let [a2, b2, c2] = frame.lengths.map(|length| length * length);
        let zeta = (1.0 + a2 / c2) / 4.0;
        let eta = (1.0 + b2 / c2) / 4.0;
        let delta = (b2 - a2) / (4.0 * c2);
        let mu = (a2 + b2) / (4.0 * c2);
        Self::new(
            "ORCI",
            "Γ-X-L-T-W-R-X1-Z-Γ-Y-S-W|L1-Y|Y1-Z",
            [
                ("X", [2.0 * zeta, 0.0, 0.0]),
                ("X1", [1.0 - 2.0 * zeta, 0.0, 1.0]),
                ("Y", [0.0, 2.0 * eta, 0.0]),
                ("Y1", [0.0, 1.0 - 2.0 * eta, 1.0]),
                ("Z", [0.0, 0.0, 1.0]),
                ("L", [0.5 + mu - delta, 0.5 - mu - delta, 0.0]),
                ("L1", [0.5 - mu + delta, 0.5 + mu + delta, 0.0]),
                ("R", [0.5, 0.0, 0.5]),
                ("S", [0.0, 0.5, 0.5]),
                ("T", [0.5, 0.5, 0.0]),
                ("W", [0.5, 0.5, 0.5]),
            ],
        )
    }

    /// a < b, centred on the face across c.
    pub(super) fn base_centred_orthorhombic(frame: &Frame) -> Self {
        let [a, b, _] = frame.lengths;
        let zeta = (1.0 + (a / b).powi(2)) / 4.0;
        Self::new(
            "ORCC",
            "Γ-X-S-R-A-Z-Γ-Y-X1-A1-T-Y|Z-T",
            [
                ("X", [2.0 * zeta, 0.0, 0.0]),
                ("X1", [1.0 - 2.0 * zeta, 1.0, 0.0]),
                ("Y", [0.0, 1.0, 0.0]),
                ("Z", [0.0, 0.0, 0.5]),
                ("S", [0.5, 0.5, 0.0]),
                ("R", [0.5, 0.5, 0.5]),
                ("A", [2.0 * zeta, 0.0, 0.5]),
                ("A1", [1.0 - 2.0 * zeta, 1.0, 0.5]),
                ("T", [0.0, 1.0, 0.5]),
            ],
        )
    }

    pub(super) fn hexagonal() -> Self {
        let third = 1.0 / 3.0;
        Self::new(
            "HEX",
            "Γ-M-K-Γ-A-L-H-A|L-M|K-H",
            [
                ("M", [0.5, 0.0, 0.0]),
                ("K", [third, third, 0.0]),
                ("A", [0.0, 0.0, 0.5]),
                ("L", [0.5, 0.0, 0.5]),
                ("H", [third, third, 0.5]),
            ],
        )
    }

    /// In units of the primitive reciprocal vectors.
    pub(super) fn rhombohedral(frame: &Frame) -> Self {
        let alpha = frame.cell.angles()[0].to_radians();
        if alpha.cos() > 0.0 {
            let eta = (1.0 + 4.0 * alpha.cos()) / (2.0 + 4.0 * alpha.cos());
            let nu = 0.75 - eta / 2.0;
            return Self::new(
                "RHL1",
                "Γ-L-B1|B-Z-Γ-X|Q-F-P1-Z|L-P",
                [
                    ("B", [eta, 0.5, 1.0 - eta]),
                    ("B1", [0.5, 1.0 - eta, eta - 1.0]),
                    ("F", [0.5, 0.5, 0.0]),
                    ("L", [0.5, 0.0, 0.0]),
                    ("P", [eta, nu, nu]),
                    ("P1", [1.0 - nu, 1.0 - nu, 1.0 - eta]),
                    ("Q", [1.0 - nu, nu, 0.0]),
                    ("X", [nu, 0.0, -nu]),
                    ("Z", [0.5, 0.5, 0.5]),
                ],
            );
        }
        let eta = 0.5 / (alpha / 2.0).tan().powi(2);
        let nu = 0.75 - eta / 2.0;
        Self::new(
            "RHL2",
            "Γ-P-Z-Q-Γ-F-P1-Q1-L-Z",
            [
                ("F", [0.5, -0.5, 0.0]),
                ("L", [0.5, 0.0, 0.0]),
                ("P", [1.0 - nu, -nu, 1.0 - nu]),
                ("P1", [nu, nu - 1.0, nu - 1.0]),
                ("Q", [eta, eta, eta]),
                ("Q1", [1.0 - eta, -eta, -eta]),
                ("Z", [0.5, -0.5, 0.5]),
            ],
        )
    }

    /// Unique axis b, the shortest a and c across it, β not acute.
    pub(super) fn monoclinic() -> Self {
        Self::new(
            "MCL",
            "Γ-Z-D-B-Γ-A-E-Z-C2-Y2-Γ",
            [
                ("Z", [0.0, 0.5, 0.0]),
                ("D", [0.0, 0.5, 0.5]),
                ("B", [0.0, 0.0, 0.5]),
                ("A", [-0.5, 0.0, 0.5]),
                ("E", [-0.5, 0.5, 0.5]),
                ("C2", [-0.5, 0.5, 0.0]),
                ("Y2", [-0.5, 0.0, 0.0]),
            ],
        )
    }

    /// In units of reduced reciprocal vectors, whose angles are all acute, or none.
    pub(super) fn triclinic(is_acute: bool) -> Self {
        let path = "X-Γ-Y|L-Γ-Z|N-Γ-M|R-Γ";
        match is_acute {
            false => Self::new(
                "TRI1a",
                path,
                [
                    ("X", [0.5, 0.0, 0.0]),
                    ("Y", [0.0, 0.5, 0.0]),
                    ("Z", [0.0, 0.0, 0.5]),
                    ("L", [0.5, 0.5, 0.0]),
                    ("M", [0.0, 0.5, 0.5]),
                    ("N", [0.5, 0.0, 0.5]),
                    ("R", [0.5, 0.5, 0.5]),
                ],
            ),
            true => Self::new(
                "TRI1b",
                path,
                [
                    ("X", [0.0, -0.5, 0.0]),
                    ("Y", [0.5, 0.0, 0.0]),
                    ("Z", [-0.5, 0.0, 0.5]),
                    ("L", [0.5, -0.5, 0.0]),
                    ("M", [0.0, 0.0, 0.5]),
                    ("N", [-0.5, -0.5, 0.5]),
                    ("R", [0.0, -0.5, 0.5]),
                ],
            ),
        }
    }
}
