//! Tokens as the model sees them, several completions of one prompt included.

/// Tokens with their positions; completions that share a prompt stand behind it, each in a branch of
/// its own that does not see the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sequence {
    /// Token of each row.
    pub tokens: Vec<u32>,
    /// Position in the text of each row.
    pub positions: Vec<u32>,
    /// 0 for what all share, else the number of the completion.
    pub branches: Vec<u32>,
}

impl Sequence {
    /// A plain text.
    pub fn plain(tokens: Vec<u32>) -> Self {
        let positions = (0..tokens.len() as u32).collect();
        let branches = vec![0; tokens.len()];
        Self {
            tokens,
            positions,
            branches,
        }
    }

    /// A prompt with completions that do not see each other.
    pub fn branched(prompt: &[u32], completions: &[Vec<u32>]) -> Self {
        let mut sequence = Self::plain(prompt.to_vec());
        for (index, completion) in completions.iter().enumerate() {
            for (place, &token) in completion.iter().enumerate() {
                sequence.tokens.push(token);
                sequence.positions.push((prompt.len() + place) as u32);
                sequence.branches.push(index as u32 + 1);
            }
        }
        sequence
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Whether row `i` sees row `j`.
    #[inline]
    pub(crate) fn sees(&self, i: usize, j: usize) -> bool {
        j <= i && (self.branches[j] == 0 || self.branches[j] == self.branches[i])
    }

    /// Whether every row sees all rows before it.
    pub(crate) fn is_plain(&self) -> bool {
        self.branches.iter().all(|&branch| branch == 0)
    }
}
