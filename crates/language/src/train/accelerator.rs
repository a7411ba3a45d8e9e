//! Losses and gradients computed elsewhere than on the processor.

use super::gradient::Example;
use crate::{LanguageError, TokenLosses, Trainable};

/// A device that computes what [`completion_losses`](crate::completion_losses) does. It holds the frozen
/// weights; what is trained is told each time, so that the optimiser, checkpoints and adapters are the same
/// as without it.
pub trait Accelerator: Send {
    /// The losses of all completion tokens; if `gradients` is given, that of their mean is added to it, in
    /// the order of [`Trainable::values`].
    ///
    /// # Errors
    /// [`LanguageError::Device`] with what the device says.
    fn losses(
        &mut self,
        trainable: &Trainable,
        examples: &[Example],
        gradients: Option<&mut [f32]>,
    ) -> Result<TokenLosses, LanguageError>;
}
