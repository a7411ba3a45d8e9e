//! What makes a skeleton the one that it is.

use crystalgym_crystal::Skeleton;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How far a lattice vector or a site may be from where it was, in Å, for the skeleton to be the
/// same: far below any tolerance, far above rounding.
const TOLERANCE_ANG: f64 = 1e-6;

/// What makes a skeleton the one that it is: its geometry. The label is a name for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SkeletonIdentity {
    /// Label.
    pub label: String,
    /// Lattice vectors as rows, in Å.
    pub lattice_ang: [[f64; 3]; 3],
    /// Fractional positions, in the order of the sites.
    pub frac_coords: Vec<[f64; 3]>,
}

impl SkeletonIdentity {
    /// That of a skeleton.
    pub fn of(skeleton: &Skeleton) -> Self {
        Self {
            label: skeleton.label.clone(),
            lattice_ang: skeleton.lattice.vectors(),
            frac_coords: skeleton.frac_coords.clone(),
        }
    }

    /// Whether `now`, found under the same name, is still this skeleton.
    ///
    /// # Errors
    /// What has changed.
    pub fn check(&self, now: &Self) -> Result<(), String> {
        let label = &self.label;
        let (sites, found) = (self.frac_coords.len(), now.frac_coords.len());
        if sites != found {
            return Err(format!(
                "skeleton {label} has {found} sites, it had {sites} in training"
            ));
        }
        for (index, (was, is)) in self.lattice_ang.iter().zip(&now.lattice_ang).enumerate() {
            // Not a number is no agreement.
            let agree = distance(*was, *is) <= TOLERANCE_ANG;
            if !agree {
                return Err(format!(
                    "skeleton {label} has the lattice vector {} = {is:?} Å, it had {was:?} in training",
                    ["a", "b", "c"][index],
                ));
            }
        }
        for (site, (was, is)) in self.frac_coords.iter().zip(&now.frac_coords).enumerate() {
            // The shortest way, since 0 and 1 are one place.
            let way = [0, 1, 2].map(|axis| {
                let step = is[axis] - was[axis];
                step - step.round()
            });
            let cartesian = [0, 1, 2].map(|axis| {
                (0..3)
                    .map(|row| way[row] * self.lattice_ang[row][axis])
                    .sum()
            });
            let agree = distance(cartesian, [0.0; 3]) <= TOLERANCE_ANG;
            if !agree {
                return Err(format!(
                    "skeleton {label} has site {site} at {is:?}, it had it at {was:?} in training"
                ));
            }
        }
        Ok(())
    }

    /// Eight hexadecimal digits of the geometry to about 1e-4 Å, to tell skeletons of one name apart.
    pub(crate) fn short_hash(&self) -> String {
        let rounded = |number: f64| (number * 1e4).round() as i64;
        let mut sum = Sha256::new();
        let numbers = self.lattice_ang.iter().chain(&self.frac_coords).flatten();
        for number in numbers {
            sum.update(rounded(*number).to_le_bytes());
        }
        let digest = sum.finalize();
        digest[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
    squares.sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: rock salt with a = 3.988 Å by hand, each part changed once.
    #[test]
    fn what_has_changed_is_named() {
        let trained = SkeletonIdentity {
            label: "rock-salt".to_owned(),
            lattice_ang: [[3.988, 0.0, 0.0], [0.0, 3.988, 0.0], [0.0, 0.0, 3.988]],
            frac_coords: vec![[0.0; 3], [0.5; 3]],
        };
        let mut same = trained.clone();
        same.frac_coords[0] = [1.0, -1e-9, 0.0];
        same.lattice_ang[0][0] += 1e-9;
        assert_eq!(trained.check(&same), Ok(()));
        let message = |change: &dyn Fn(&mut SkeletonIdentity)| {
            let mut now = trained.clone();
            change(&mut now);
            trained.check(&now).unwrap_err()
        };
        assert!(message(&|now| now.lattice_ang[1][1] = 4.0).contains("vector b = [0.0, 4.0, 0.0]"));
        assert!(
            message(&|now| now.frac_coords[1][2] = 0.49).contains("site 1 at [0.5, 0.5, 0.49]")
        );
        assert!(message(&|now| now.frac_coords.truncate(1)).contains("has 1 sites, it had 2"));
        assert!(message(&|now| now.lattice_ang[0][0] = f64::NAN).contains("vector a"));
        let mut other = trained.clone();
        other.lattice_ang[0][0] = 4.0;
        assert_ne!(trained.short_hash(), other.short_hash());
        assert_eq!(trained.short_hash().len(), 8);
    }
}
