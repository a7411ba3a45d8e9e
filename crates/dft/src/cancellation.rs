//! The caller's wish to stop, and how often it is asked for.

use crate::DftError;

/// Steps of work between two questions, some ten milliseconds.
const STEPS_BETWEEN: usize = 1 << 20;

/// The caller's wish to stop a calculation.
#[derive(Clone, Copy, Default)]
pub struct Cancellation<'a> {
    asked: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl<'a> Cancellation<'a> {
    /// For calculations that nobody stops.
    pub const NEVER: Self = Self { asked: None };

    /// Asks this function, from any thread; once it has said true, it has to say so for ever.
    pub fn by(asked: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self { asked: Some(asked) }
    }

    pub(crate) fn is_requested(self) -> bool {
        self.asked.is_some_and(|asked| asked())
    }

    /// # Errors
    /// [`DftError::Cancelled`] once it is requested.
    pub(crate) fn check(self) -> Result<(), DftError> {
        match self.is_requested() {
            true => Err(DftError::Cancelled),
            false => Ok(()),
        }
    }

    /// For a loop of many small steps.
    pub(crate) fn pace(self) -> Pace<'a> {
        Pace {
            cancellation: self,
            left: 0,
        }
    }
}

/// Asks at the first step, and then now and again.
pub(crate) struct Pace<'a> {
    cancellation: Cancellation<'a>,
    left: usize,
}

impl Pace<'_> {
    /// To be called for so many steps of some nanoseconds each.
    ///
    /// # Errors
    /// [`DftError::Cancelled`] once it is requested.
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), DftError> {
        match self.left.checked_sub(steps.max(1)) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = STEPS_BETWEEN;
                self.cancellation.check()
            }
        }
    }
}

#[cfg(test)]
mod tests;
