//! From hidden states to logits and losses, over the whole vocabulary or over some tokens.

use crystalgym_kernels::Buffer;

use super::{llama::Llama, trainable::Trainable};
use crate::{
    LanguageError,
    operations::{Layout, product_strided, softmax},
};

/// Rows of the vocabulary that are unpacked together.
const BLOCK: usize = 4096;

/// What is done with a block of the head's rows: the first token, the rows, and where their gradients are
/// if they are trained.
type BlockVisit<'a> = dyn FnMut(usize, &[f32], Option<usize>) + 'a;

/// Losses of some predicted tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TokenLosses {
    /// `−Σ ln p(token)`, in nats.
    pub sum: f64,
    /// Tokens predicted.
    pub tokens: usize,
    /// Tokens that are the most probable among the new ones.
    pub right: usize,
}

impl std::ops::AddAssign for TokenLosses {
    fn add_assign(&mut self, other: Self) {
        self.sum += other.sum;
        self.tokens += other.tokens;
        self.right += other.right;
    }
}

impl Llama {
    /// Logits of all tokens, the new ones last: `rows × (vocabulary + new)`.
    pub fn logits(&self, trainable: &Trainable, hidden: &[f32]) -> Vec<f32> {
        let width = self.config.hidden_size;
        let (rows, count) = (
            hidden.len() / width,
            self.config.vocab_size + trainable.rows(),
        );
        let mut logits = vec![0.0; rows * count];
        self.each_block(trainable, &mut |first, weights, _| {
            let sizes = (rows, width, weights.len() / width);
            let out = &mut logits[first..];
            product_strided(
                Layout::AB_T,
                sizes,
                (hidden, width),
                (weights, width),
                1.0,
                false,
                (out, count),
            );
        });
        logits
    }

    /// Cross-entropy of the tokens that follow each hidden state. Unless `weight` is 0, the gradient of
    /// `weight ·` the sum of losses is added to that of what is trained, and returned for the hidden
    /// states.
    ///
    /// # Errors
    /// [`LanguageError::Tokens`] for a token that the model does not have.
    pub fn cross_entropy(
        &self,
        trainable: &Trainable,
        hidden: &[f32],
        targets: &[u32],
        weight: f32,
        gradients: &mut [f32],
    ) -> Result<(TokenLosses, Vec<f32>), LanguageError> {
        let vocabulary = self.config.vocab_size;
        let count = vocabulary + trainable.rows();
        if let Some(token) = targets.iter().find(|token| **token as usize >= count) {
            let message = format!("token {token} is none of the {count} of the model");
            return Err(LanguageError::Tokens(message));
        }
        let mut logits = self.logits(trainable, hidden);
        let mut losses = TokenLosses::default();
        for (logits, &target) in logits.chunks_exact_mut(count).zip(targets) {
            let target = target as usize;
            let of_target = f64::from(logits[target]);
            let new = &logits[vocabulary..];
            let best = (0..new.len()).max_by(|&a, &b| new[a].total_cmp(&new[b]).then(b.cmp(&a)));
            losses.right += usize::from(best.map(|best| best + vocabulary) == Some(target));
            losses.tokens += 1;
            losses.sum += softmax(logits) - of_target;
            logits[target] -= 1.0;
            logits.iter_mut().for_each(|x| *x *= weight);
        }
        if weight == 0.0 {
            return Ok((losses, Vec::new()));
        }
        let d_hidden = self.logits_backward(trainable, hidden, &logits, gradients);
        Ok((losses, d_hidden))
    }

    /// The way back through [`Self::logits`].
    fn logits_backward(
        &self,
        trainable: &Trainable,
        hidden: &[f32],
        d_logits: &[f32],
        gradients: &mut [f32],
    ) -> Vec<f32> {
        let width = self.config.hidden_size;
        let (rows, count) = (
            hidden.len() / width,
            self.config.vocab_size + trainable.rows(),
        );
        let mut d_hidden = vec![0.0; hidden.len()];
        self.each_block(trainable, &mut |first, weights, at| {
            let here = weights.len() / width;
            let slopes = (&d_logits[first..], count);
            let out = (&mut d_hidden[..], width);
            let sizes = (rows, here, width);
            product_strided(Layout::AB, sizes, slopes, (weights, width), 1.0, true, out);
            if let Some(at) = at {
                let out = (&mut gradients[at..at + weights.len()], width);
                let sizes = (here, rows, width);
                product_strided(Layout::A_TB, sizes, slopes, (hidden, width), 1.0, true, out);
            }
        });
        d_hidden
    }

    /// Logits of some of the new tokens, by their number among them: `rows × tokens`.
    pub fn new_token_logits(&self, trainable: &Trainable, hidden: &[f32]) -> Vec<f32> {
        let (width, rows) = (self.config.hidden_size, trainable.rows());
        let t = hidden.len() / width;
        let mut logits = vec![0.0; t * rows];
        let at = trainable.head_row_slot();
        let weights = (&trainable.values()[at..at + rows * width], width);
        let out = (&mut logits[..], rows);
        product_strided(
            Layout::AB_T,
            (t, width, rows),
            (hidden, width),
            weights,
            1.0,
            false,
            out,
        );
        logits
    }

    /// The way back through [`Self::new_token_logits`]: the gradient of the hidden states.
    pub fn new_token_logits_backward(
        &self,
        trainable: &Trainable,
        hidden: &[f32],
        d_logits: &[f32],
        gradients: &mut [f32],
    ) -> Vec<f32> {
        let (width, rows) = (self.config.hidden_size, trainable.rows());
        let t = hidden.len() / width;
        let at = trainable.head_row_slot();
        let weights = (&trainable.values()[at..at + rows * width], width);
        let mut d_hidden = vec![0.0; hidden.len()];
        let (slopes, out) = ((d_logits, rows), (&mut d_hidden[..], width));
        product_strided(
            Layout::AB,
            (t, rows, width),
            slopes,
            weights,
            1.0,
            false,
            out,
        );
        if trainable.trains_rows() {
            let out = (&mut gradients[at..at + rows * width], width);
            let hidden = (hidden, width);
            product_strided(
                Layout::A_TB,
                (rows, t, width),
                slopes,
                hidden,
                1.0,
                true,
                out,
            );
        }
        d_hidden
    }

    /// Calls with each block of the head's rows.
    fn each_block(&self, trainable: &Trainable, call: &mut BlockVisit<'_>) {
        let (width, vocabulary) = (self.config.hidden_size, self.config.vocab_size);
        let whole = trainable.whole();
        let start = whole.map(|whole| whole.head.unwrap_or(whole.embedding));
        let mut scratch = Buffer::default();
        for first in (0..vocabulary).step_by(BLOCK) {
            let last = (first + BLOCK).min(vocabulary);
            if let Some(start) = start {
                let at = start + first * width;
                call(
                    first,
                    &trainable.values()[at..at + (last - first) * width],
                    Some(at),
                );
            } else {
                let weights = scratch.resize((last - first) * width);
                self.head().dequantise(first..last, weights);
                call(first, weights, None);
            }
        }
        if trainable.rows() > 0 {
            let at = trainable.head_row_slot();
            let weights = &trainable.values()[at..at + trainable.rows() * width];
            call(vocabulary, weights, trainable.trains_rows().then_some(at));
        }
    }
}
