//! Packed sequences with the tokens that are to be predicted.

use crate::CudaError;

/// Sequences one after the other, without padding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    pub(crate) tokens: Vec<i32>,
    /// Where each sequence starts, and the end of the last.
    pub(crate) starts: Vec<i32>,
    /// Rows whose next token is to be predicted, ascending.
    pub(crate) rows: Vec<i32>,
    pub(crate) targets: Vec<i32>,
    longest: usize,
}

impl Batch {
    /// A batch without sequences.
    pub fn new() -> Self {
        Self {
            starts: vec![0],
            ..Self::default()
        }
    }

    /// Adds a prompt with the completion that is learned; the last token predicts nothing, so it is not
    /// read.
    ///
    /// # Errors
    /// [`CudaError::Input`] if one of them is empty.
    pub fn push(&mut self, prompt: &[u32], completion: &[u32]) -> Result<(), CudaError> {
        let Some((_, read)) = completion.split_last().filter(|_| !prompt.is_empty()) else {
            return Err(CudaError::Input(
                "an example has no prompt or no completion".to_owned(),
            ));
        };
        let first = self.tokens.len() + prompt.len() - 1;
        self.rows
            .extend((first..first + completion.len()).map(|row| row as i32));
        self.targets
            .extend(completion.iter().map(|&token| token as i32));
        self.tokens
            .extend(prompt.iter().chain(read).map(|&token| token as i32));
        self.starts.push(self.tokens.len() as i32);
        self.longest = self.longest.max(prompt.len() + read.len());
        Ok(())
    }

    /// Tokens that are read, T.
    pub fn tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Number of sequences, n.
    pub fn sequences(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Tokens that are predicted.
    pub fn answers(&self) -> usize {
        self.rows.len()
    }

    /// The longest sequence rounded up to a multiple of 8, S.
    pub fn padded(&self) -> usize {
        self.longest.next_multiple_of(8)
    }

    pub(crate) fn check(&self, vocabulary: usize, limits: &Limits) -> Result<(), CudaError> {
        let counts = [
            ("tokens", self.tokens(), limits.tokens),
            ("sequences", self.sequences(), limits.sequences),
            (
                "tokens of a sequence",
                self.padded(),
                limits.longest.next_multiple_of(8),
            ),
            ("predicted tokens", self.answers(), limits.answers),
        ];
        if let Some((what, found, most)) = counts.into_iter().find(|(_, found, most)| found > most)
        {
            return Err(CudaError::Input(format!(
                "a batch has {found} {what}, {most} at most"
            )));
        }
        if self.tokens.is_empty() {
            return Err(CudaError::Input("a batch has no sequences".to_owned()));
        }
        let mut tokens = self.tokens.iter().chain(&self.targets);
        match tokens.find(|&&token| token < 0 || token as usize >= vocabulary) {
            Some(token) => Err(CudaError::Input(format!(
                "token {token} is none of {vocabulary}"
            ))),
            None => Ok(()),
        }
    }
}

/// The largest batch that room is made for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Tokens that are read.
    pub tokens: usize,
    /// Sequences.
    pub sequences: usize,
    /// Tokens of the longest sequence.
    pub longest: usize,
    /// Tokens that are predicted.
    pub answers: usize,
}

impl Limits {
    /// Room for this batch.
    pub fn of(batch: &Batch) -> Self {
        Self {
            tokens: batch.tokens(),
            sequences: batch.sequences(),
            longest: batch.padded(),
            answers: batch.answers(),
        }
    }

    /// Room for batches of either.
    #[must_use]
    pub fn both(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.max(other.tokens),
            sequences: self.sequences.max(other.sequences),
            longest: self.longest.max(other.longest),
            answers: self.answers.max(other.answers),
        }
    }

    /// An eighth more, so that room is not made anew for every batch that is a little larger.
    pub(crate) fn with_spare(self) -> Self {
        let more = |count: usize| count + count / 8;
        Self {
            tokens: more(self.tokens),
            sequences: more(self.sequences),
            longest: more(self.longest).next_multiple_of(8),
            answers: more(self.answers),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_put_one_after_the_other() {
        let mut batch = Batch::new();
        batch.push(&[1, 2, 3], &[4, 5]).unwrap();
        batch.push(&[6], &[7]).unwrap();
        assert_eq!(batch.tokens, [1, 2, 3, 4, 6]);
        assert_eq!(batch.starts, [0, 4, 5]);
        assert_eq!(
            (&batch.rows[..], &batch.targets[..]),
            (&[2, 3, 4][..], &[4, 5, 7][..])
        );
        assert_eq!(batch.padded(), 8);
        assert!(batch.push(&[], &[1]).is_err() && batch.push(&[1], &[]).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut batch = Batch::new();
        batch.push(&[1, 2], &[3]).unwrap();
        let limits = Limits::of(&batch);
        batch.check(4, &limits).unwrap();
        assert!(
            batch
                .check(3, &limits)
                .unwrap_err()
                .to_string()
                .contains("token 3")
        );
        let few = Limits {
            answers: 0,
            ..limits
        };
        assert!(
            batch
                .check(4, &few)
                .unwrap_err()
                .to_string()
                .contains("predicted")
        );
        assert!(Batch::new().check(4, &limits).is_err());
    }
}
