//! A model in a checkpoint.

use crystalgym_networks::{Checkpoint, GraphNetwork};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use crate::{Conservative, ObjectiveModel, ObjectiveModelError, Scale};

/// What a model needs beside the numbers of its networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedModel {
    scale: Scale,
    members: Vec<SavedMember>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SavedMember {
    conservative: Conservative,
    rng: Pcg64,
}

impl ObjectiveModel {
    /// Adds the networks and optimisers to a checkpoint and returns the rest.
    pub fn save(&self, prefix: &str, checkpoint: &mut Checkpoint) -> SavedModel {
        let members = self.members.iter().enumerate().map(|(number, member)| {
            let parameters = member.network.parameters();
            checkpoint.insert_parameters(&format!("{prefix}.network.{number}"), parameters);
            checkpoint.insert_adam(&format!("{prefix}.adam.{number}"), &member.adam, parameters);
            SavedMember {
                conservative: member.conservative,
                rng: member.rng.clone(),
            }
        });
        SavedModel {
            members: members.collect(),
            scale: self.objective.scale,
        }
    }

    /// Becomes the model that was saved from one of the same settings and task.
    ///
    /// # Errors
    /// [`ObjectiveModelError::Saved`] or [`ObjectiveModelError::Network`] for what does not fit.
    pub fn restore(
        &mut self,
        prefix: &str,
        checkpoint: &Checkpoint,
        saved: SavedModel,
    ) -> Result<(), ObjectiveModelError> {
        let (found, expected) = (saved.members.len(), self.members.len());
        if found != expected {
            let message = format!("{found} members, expected {expected}");
            return Err(ObjectiveModelError::Saved(message));
        }
        let Scale { mean, spread } = saved.scale;
        if !(mean.is_finite() && spread.is_finite() && spread > 0.0) {
            let message = format!("a scale of {mean} and {spread}");
            return Err(ObjectiveModelError::Saved(message));
        }
        let pairs = self.members.iter_mut().zip(saved.members).enumerate();
        for (number, (member, saved)) in pairs {
            let of_network = format!("{prefix}.network.{number}");
            checkpoint.restore_parameters(&of_network, member.network.parameters_mut())?;
            let (adam, parameters) = (&mut member.adam, member.network.parameters());
            checkpoint.restore_adam(&format!("{prefix}.adam.{number}"), adam, parameters)?;
            if !saved.conservative.is_sane() {
                let message = format!("the weight of member {} is no number", number + 1);
                return Err(ObjectiveModelError::Saved(message));
            }
            member.conservative = saved.conservative;
            member.rng = saved.rng;
        }
        self.objective.scale = saved.scale;
        Ok(())
    }
}
