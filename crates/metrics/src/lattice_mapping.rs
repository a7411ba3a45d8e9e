//! Bases of one lattice that resemble another.

use crystalgym_crystal::Lattice;

use crate::MatchTolerances;

/// Bases of `lattice` whose lengths agree with those of `target` within the relative tolerance and
/// whose angles within the absolute one, and that span the same cell; left-handed ones included.
pub(crate) fn mappings(
    lattice: &Lattice,
    target: &Lattice,
    tolerances: &MatchTolerances,
) -> Vec<Lattice> {
    let (lengths, angles) = (target.lengths(), target.angles());
    let stretch = 1.0 + tolerances.length;
    let longest = lengths.into_iter().fold(0.0, f64::max) * stretch;
    let points = points_within(lattice, longest);
    let of_length = |wanted: f64| -> Vec<[f64; 3]> {
        let near =
            |point: &&([f64; 3], f64)| point.1 < wanted * stretch && point.1 > wanted / stretch;
        points.iter().filter(near).map(|point| point.0).collect()
    };
    let [first, second, third] = lengths.map(of_length);
    let agree = |u: [f64; 3], v: [f64; 3], wanted: f64| {
        let cosine = dot(u, v) / (dot(u, u) * dot(v, v)).sqrt();
        (cosine.clamp(-1.0, 1.0).acos().to_degrees() - wanted).abs() < tolerances.angle_deg
    };
    let volume = lattice.volume();
    let mut found = Vec::new();
    for &a in &first {
        for &b in second.iter().filter(|&&b| agree(a, b, angles[2])) {
            let fits = |c: &&[f64; 3]| agree(b, **c, angles[0]) && agree(a, **c, angles[1]);
            for &c in third.iter().filter(fits) {
                if let Ok(basis) = Lattice::new([a, b, c])
                    // Volumes of bases are whole multiples of the cell's.
                    && (basis.volume() / volume - 1.0).abs() < 0.5
                {
                    found.push(basis);
                }
            }
        }
    }
    found
}

/// Lattice points other than the origin within `radius`, with their distances, in a fixed order.
fn points_within(lattice: &Lattice, radius: f64) -> Vec<([f64; 3], f64)> {
    let [m, n, o] = lattice
        .reciprocal()
        .map(|b| (radius * dot(b, b).sqrt() + 1e-8).floor() as i32);
    let mut points = Vec::new();
    for i in -m..=m {
        for j in -n..=n {
            for k in -o..=o {
                let point = lattice.to_cart([i, j, k].map(f64::from));
                let distance = dot(point, point).sqrt();
                if distance <= radius && (i, j, k) != (0, 0, 0) {
                    points.push((point, distance));
                }
            }
        }
    }
    points
}

fn dot(u: [f64; 3], v: [f64; 3]) -> f64 {
    u[0] * v[0] + u[1] * v[1] + u[2] * v[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the orders of the point groups of lattices: 48 cubic, 24 hexagonal, 2 triclinic.
    #[test]
    fn a_lattice_is_mapped_on_itself_by_its_point_group() {
        let tight = MatchTolerances {
            length: 1e-6,
            site: 0.3,
            angle_deg: 1e-4,
        };
        for (lengths, angles, order) in [
            ([4.0; 3], [90.0; 3], 48),
            ([4.0; 3], [60.0; 3], 48),
            ([3.0, 3.0, 5.0], [90.0, 90.0, 120.0], 24),
            ([3.0, 3.7, 5.0], [82.0, 95.0, 104.0], 2),
        ] {
            let lattice = Lattice::from_parameters(lengths, angles).unwrap();
            assert_eq!(mappings(&lattice, &lattice, &tight).len(), order);
        }
    }
}
