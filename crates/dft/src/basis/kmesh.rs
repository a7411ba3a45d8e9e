use crate::{symmetry::SymmetryOperation, vector::Vector3};

/// A Monkhorst–Pack mesh: `k = (n + s/2) / N` along each reciprocal lattice vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KMesh {
    /// N along each reciprocal lattice vector, at least 1.
    pub divisions: [u32; 3],
    /// Whether the mesh is shifted by half a step along each (s); unshifted it holds Γ.
    pub shifted: [bool; 3],
}

impl KMesh {
    /// A Γ-centred mesh.
    pub fn gamma_centred(divisions: [u32; 3]) -> Self {
        Self {
            divisions,
            shifted: [false; 3],
        }
    }
}

/// A k-point of the irreducible wedge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KPoint {
    /// Position in units of the reciprocal lattice vectors.
    pub frac: Vector3,
    /// Share of the mesh that it stands for; the weights add up to 1.
    pub weight: f64,
}

/// The points of the mesh that no operation, nor time reversal (k → −k), turns into each other.
pub fn irreducible_k_points(mesh: KMesh, operations: &[SymmetryOperation]) -> Vec<KPoint> {
    let divisions = mesh.divisions.map(|n| n as usize);
    let total = divisions.iter().product::<usize>();
    let position = |index: usize| -> Vector3 {
        let n = [
            index / (divisions[1] * divisions[2]),
            index / divisions[2] % divisions[1],
            index % divisions[2],
        ];
        std::array::from_fn(|i| {
            let shift = if mesh.shifted[i] { 0.5 } else { 0.0 };
            let x = (n[i] as f64 + shift) / divisions[i] as f64;
            if x > 0.5 + 1e-9 { x - 1.0 } else { x }
        })
    };
    // The index of a wave vector, if it lies on the mesh (it need not when the mesh has less
    // symmetry than the crystal).
    let index_of = |k: Vector3| -> Option<usize> {
        let mut index = 0;
        for i in 0..3 {
            let shift = if mesh.shifted[i] { 0.5 } else { 0.0 };
            let n = k[i] * divisions[i] as f64 - shift;
            let nearest = n.round();
            if (n - nearest).abs() > 1e-6 {
                return None;
            }
            index = index * divisions[i] + (nearest as i64).rem_euclid(divisions[i] as i64) as usize;
        }
        Some(index)
    };

    let mut taken = vec![false; total];
    let mut points = Vec::new();
    for first in 0..total {
        if taken[first] {
            continue;
        }
        taken[first] = true;
        let mut star = 1;
        let k = position(first);
        for operation in operations {
            let turned = operation.rotate_wave_vector(k);
            for image in [turned, turned.map(|x| -x)] {
                if let Some(index) = index_of(image)
                    && !taken[index]
                {
                    taken[index] = true;
                    star += 1;
                }
            }
        }
        points.push(KPoint {
            frac: k,
            weight: f64::from(star) / total as f64,
        });
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: by hand, time reversal alone pairs up all points but the eight with 2k = 0.
    #[test]
    fn time_reversal_halves_the_mesh() {
        let mesh = KMesh::gamma_centred([4, 4, 4]);
        let points = irreducible_k_points(mesh, &[SymmetryOperation::identity()]);
        assert_eq!(points.len(), 8 + (64 - 8) / 2);
        let sum: f64 = points.iter().map(|point| point.weight).sum();
        assert!((sum - 1.0).abs() < 1e-12);
    }

    /// Oracle: by hand, a 2×2×2 mesh shifted by half a step has four pairs ±k.
    #[test]
    fn shifted_mesh() {
        let mesh = KMesh {
            divisions: [2; 3],
            shifted: [true; 3],
        };
        let points = irreducible_k_points(mesh, &[SymmetryOperation::identity()]);
        assert_eq!(points.len(), 4);
        assert!(points.iter().all(|point| point.weight == 0.25));
    }
}
