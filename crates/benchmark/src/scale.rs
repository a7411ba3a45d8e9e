//! How long the jobs of a benchmark are: minutes, hours, or as published.

use crystalgym_training::{Algorithm, ConfigLayers};
use serde::{Deserialize, Serialize};

/// How much of an experiment is done; stamped on every table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Minutes: that everything runs, nothing about which agent is better.
    Smoke,
    /// Hours.
    Small,
    /// As long as the algorithm's preset says.
    Paper,
}

impl Scale {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Smoke, Self::Small, Self::Paper];

    /// The name used in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Small => "small",
            Self::Paper => "paper",
        }
    }

    /// Episodes of a job; `None` for as many as the preset has.
    pub fn episodes(self) -> Option<u64> {
        match self {
            Self::Smoke => Some(12),
            Self::Small => Some(400),
            Self::Paper => None,
        }
    }

    /// Seeds unless others are chosen.
    pub fn seeds(self) -> Vec<u64> {
        match self {
            Self::Smoke => vec![1],
            Self::Small => vec![1, 2, 3],
            Self::Paper => vec![1, 2, 3, 4, 5],
        }
    }

    /// Sets what the scale changes of the defaults, for an algorithm and skeletons of at most so many
    /// sites.
    ///
    /// `smoke` and `small` lower the cutoff and the k-mesh of the calculator as well: 16 and 25 Ry,
    /// 100 and 500 k-points per reciprocal atom.
    pub(crate) fn set(self, layers: &mut ConfigLayers, algorithm: Algorithm, sites: usize) {
        let Some(episodes) = self.episodes() else {
            return;
        };
        let name = algorithm.name();
        let steps = (episodes * sites as u64) as i64;
        layers.set(&format!("{name}.total_steps"), steps);
        match algorithm {
            Algorithm::Dqn | Algorithm::Rainbow | Algorithm::Sac => {
                layers.set(&format!("{name}.learning_starts"), (steps / 4).min(200));
            }
            Algorithm::Ppo if self == Self::Smoke => {
                layers.set("ppo.rollout_steps", 5);
                layers.set("ppo.minibatches", 1);
            }
            _ => {}
        }
        let (cutoff_ry, kppa, seconds) = match self {
            Self::Smoke => (16, 100, 60),
            Self::Small | Self::Paper => (25, 500, 600),
        };
        layers.set("calculator.native.gth_cutoff_ry", cutoff_ry);
        layers.set("calculator.native.kppa", kppa);
        layers.set("calculator.native.time_limit_seconds", seconds);
    }
}

impl std::str::FromStr for Scale {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let scale = Self::ALL.into_iter().find(|scale| scale.name() == text);
        scale.ok_or_else(|| format!("unknown scale '{text}', expected smoke, small or paper"))
    }
}
