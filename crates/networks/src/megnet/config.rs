//! Shape and inputs of MEGNet.

use serde::{Deserialize, Serialize};

use crate::NetworkError;

/// What a [`Megnet`](crate::Megnet) is told about a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputStyle {
    /// As in the published agents: the state vector is (a, b, c in Å, α, β, γ in degrees, target)
    /// without scaling, followed by an embedding of the focus' site index; nodes carry their type
    /// alone.
    Published,
    /// The focus is a flag on its node, where a permutation-invariant network can see which site
    /// is meant; the state vector is scaled: lengths/10 Å, angles/90° − 1, space group/230, volume
    /// per site/20 Å³, target/[`target_scale`](MegnetConfig::target_scale), filled fraction.
    #[default]
    Corrected,
}

/// Shape and inputs of a [`Megnet`](crate::Megnet).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MegnetConfig {
    /// What the network is told.
    pub inputs: InputStyle,
    /// Number of elements to choose from; node type `n_actions` is a blank site.
    pub n_actions: usize,
    /// Numbers per graph that the network returns.
    pub n_outputs: usize,
    /// Width of edge, node and state features.
    pub hidden: usize,
    /// Number of interaction blocks.
    pub blocks: usize,
    /// Iterations of the Set2Set readouts.
    pub set2set_iterations: usize,
    /// Number of Gaussians of the bond expansion, evenly spaced from 0 Å.
    pub gaussian_centres: usize,
    /// Centre of the last Gaussian in Å; unused with one Gaussian, whose centre is 0.
    pub gaussian_last_centre_ang: f64,
    /// Multiplier w of exp(−w·(d − centre)²) in Å⁻².
    pub gaussian_width_per_ang2: f64,
    /// What the target is divided by with [`InputStyle::Corrected`], in the target's unit.
    pub target_scale: f64,
}

impl MegnetConfig {
    /// The shape of the published agents: one Gaussian exp(−0.5·d²) and unscaled inputs.
    pub fn published(n_actions: usize, n_outputs: usize) -> Self {
        Self {
            inputs: InputStyle::Published,
            gaussian_centres: 1,
            gaussian_width_per_ang2: 0.5,
            ..Self::corrected(n_actions, n_outputs)
        }
    }

    /// The default: 16 Gaussians on 0 … 6 Å, each as wide as their distance, and scaled inputs.
    pub fn corrected(n_actions: usize, n_outputs: usize) -> Self {
        Self {
            inputs: InputStyle::Corrected,
            n_actions,
            n_outputs,
            hidden: 32,
            blocks: 3,
            set2set_iterations: 2,
            gaussian_centres: 16,
            gaussian_last_centre_ang: 6.0,
            // 1 / (2σ²) with σ = 0.4 Å, the spacing of the centres.
            gaussian_width_per_ang2: 3.125,
            target_scale: 1.0,
        }
    }

    /// Numbers that a state is described by, without an embedded focus.
    pub(crate) fn state_inputs(&self) -> usize {
        match self.inputs {
            InputStyle::Published => 7,
            InputStyle::Corrected => 10,
        }
    }

    /// Whether a network can have this shape.
    ///
    /// # Errors
    /// [`NetworkError::Config`] names the first field outside of its range.
    pub fn check(&self) -> Result<(), NetworkError> {
        let error = |field, found: String, expected: &str| {
            Err(NetworkError::Config {
                field,
                found,
                expected: expected.to_owned(),
            })
        };
        if self.n_actions == 0 || self.n_actions > 254 {
            return error("n_actions", self.n_actions.to_string(), "1 to 254");
        }
        if !(2..=1024).contains(&self.hidden) || !self.hidden.is_multiple_of(2) {
            return error(
                "hidden",
                self.hidden.to_string(),
                "an even number from 2 to 1024",
            );
        }
        for (field, value, most) in [
            ("n_outputs", self.n_outputs, 1 << 18),
            ("blocks", self.blocks, 32),
            ("set2set_iterations", self.set2set_iterations, 32),
            ("gaussian_centres", self.gaussian_centres, 1024),
        ] {
            if !(1..=most).contains(&value) {
                return error(field, value.to_string(), &format!("1 to {most}"));
            }
        }
        for (field, value) in [
            ("gaussian_last_centre_ang", self.gaussian_last_centre_ang),
            ("gaussian_width_per_ang2", self.gaussian_width_per_ang2),
            ("target_scale", self.target_scale),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return error(field, value.to_string(), "a positive number");
            }
        }
        Ok(())
    }
}

impl Default for MegnetConfig {
    fn default() -> Self {
        Self::corrected(18, 18)
    }
}
