//! Byte-pair encoding (Sennrich et al. 2016) of words.

use std::collections::HashMap;

use super::bytes::byte_character;

/// A vocabulary with the pairs of its tokens that are merged.
#[derive(Debug, Clone)]
pub(super) struct BytePairs {
    tokens: HashMap<String, u32>,
    /// Rank and result of each pair.
    merges: HashMap<(u32, u32), (u32, u32)>,
    /// Whether a word that is a token is never built from pairs.
    whole_words: bool,
    /// Token of each byte, where there is one.
    of_byte: Vec<Option<u32>>,
}

impl BytePairs {
    /// # Errors
    /// A pair that is none of the vocabulary.
    pub(super) fn new(
        tokens: HashMap<String, u32>,
        pairs: &[(String, String)],
        whole_words: bool,
    ) -> Result<Self, String> {
        let mut merges = HashMap::with_capacity(pairs.len());
        for (rank, (a, b)) in pairs.iter().enumerate() {
            let both = format!("{a}{b}");
            let (Some(&first), Some(&second), Some(&result)) =
                (tokens.get(a), tokens.get(b), tokens.get(&both))
            else {
                return Err(format!("the pair {a:?} {b:?} is not of its vocabulary"));
            };
            merges
                .entry((first, second))
                .or_insert((rank as u32, result));
        }
        let of_byte = (0..=255).map(|byte| tokens.get(&byte_character(byte).to_string()).copied());
        Ok(Self {
            of_byte: of_byte.collect(),
            tokens,
            merges,
            whole_words,
        })
    }

    /// The tokens of a word; the byte that has none if one has none.
    pub(super) fn encode(&self, word: &[u8], out: &mut Vec<u32>) -> Result<(), u8> {
        if self.whole_words {
            let name: String = word.iter().map(|&byte| byte_character(byte)).collect();
            if let Some(&token) = self.tokens.get(&name) {
                out.push(token);
                return Ok(());
            }
        }
        let tokens: Result<Vec<u32>, u8> = word
            .iter()
            .map(|&byte| self.of_byte[usize::from(byte)].ok_or(byte))
            .collect();
        let mut tokens = tokens?;
        // The pair of the lowest rank is merged first, the leftmost of equals.
        loop {
            let pairs = tokens.windows(2).enumerate();
            let best = pairs
                .filter_map(|(at, pair)| Some((*self.merges.get(&(pair[0], pair[1]))?, at)))
                .min_by_key(|((rank, _), at)| (*rank, *at));
            let Some(((_, result), at)) = best else {
                break;
            };
            tokens[at] = result;
            tokens.remove(at + 1);
        }
        out.extend(tokens);
        Ok(())
    }
}
