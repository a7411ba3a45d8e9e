//! A tokenizer of byte pairs with one new token for each element.

use std::{collections::HashMap, path::Path};

use crystalgym_crystal::Element;
use serde_json::{Value, json};

use super::{
    bytes::{byte_character, character_byte},
    pairs::BytePairs,
    words::{LLAMA_3, Words},
};
use crate::{GgufFile, LanguageError, LlamaConfig, MetadataValue};

/// The characters that crystals are written with: a tokenizer has to know each of them.
const NEEDED: &str = "0123456789.-\n abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,:/";

/// A tokenizer with a new token for each element, `<elem_X>`, behind those of the model.
#[derive(Debug, Clone)]
pub struct CrystalTokenizer {
    /// As Hugging Face keeps it.
    description: Value,
    pairs: BytePairs,
    words: Words,
    /// Token that every text begins with.
    first: Option<u32>,
    vocabulary: u32,
}

impl CrystalTokenizer {
    /// Reads `tokenizer.json` of a folder, or the tokenizer in a GGUF file.
    ///
    /// # Errors
    /// [`LanguageError::File`] or [`LanguageError::Tokenizer`] if it is none that can be used, or lacks
    /// a character that crystals are written with.
    pub fn read(path: &Path, config: &LlamaConfig) -> Result<Self, LanguageError> {
        if path.is_dir() {
            let path = path.join("tokenizer.json");
            let bytes = crystalgym_crystal::read_bytes(&path)
                .map_err(|source| LanguageError::io(&path, source))?;
            let description: Value = serde_json::from_slice(&bytes)
                .map_err(|error| LanguageError::file(&path, error))?;
            return Self::new(description, config.vocab_size)
                .map_err(|message| LanguageError::file(&path, message));
        }
        let file = GgufFile::open(path)?;
        of_gguf(&file)
            .and_then(|description| Self::new(description, config.vocab_size))
            .map_err(|message| LanguageError::file(path, message))
    }

    /// A tokenizer of single bytes, for models that are made from nothing.
    ///
    /// # Errors
    /// [`LanguageError::Tokenizer`] never, as it knows all bytes.
    pub fn of_bytes() -> Result<Self, LanguageError> {
        let vocabulary: serde_json::Map<String, Value> = (0..=255_u8)
            .map(|byte| (byte_character(byte).to_string(), json!(byte)))
            .collect();
        let words = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": false});
        let empty = json!([]);
        let description = description(&json!(vocabulary), &empty, false, &words, &empty, None);
        Self::new(description, 256).map_err(LanguageError::Tokenizer)
    }

    fn new(description: Value, vocabulary: usize) -> Result<Self, String> {
        let model = &description["model"];
        if model["type"] != "BPE" {
            return Err(format!("its model is {}, expected BPE", model["type"]));
        }
        for key in ["normalizer"] {
            if !description[key].is_null() {
                return Err(format!("it has a {key}, which is not supported"));
            }
        }
        let tokens = model["vocab"].as_object().ok_or("it has no vocabulary")?;
        let tokens: HashMap<String, u32> = tokens
            .iter()
            .filter_map(|(name, id)| Some((name.clone(), u32::try_from(id.as_u64()?).ok()?)))
            .collect();
        let merges = model["merges"].as_array().ok_or("it has no merges")?;
        let merges: Option<Vec<(String, String)>> = merges.iter().map(pair).collect();
        let ignore = model["ignore_merges"].as_bool().unwrap_or(false);
        let added = description["added_tokens"].as_array().into_iter().flatten();
        let added = added.filter_map(|token| token["id"].as_u64());
        let found = tokens.values().map(|id| u64::from(*id)).chain(added).max();
        let found = found.map_or(0, |last| last as usize + 1);
        if found > vocabulary {
            return Err(format!(
                "it has {found} tokens, the model {vocabulary}: they do not belong together"
            ));
        }
        let made = Self {
            pairs: BytePairs::new(tokens, &merges.ok_or("its merges are no pairs")?, ignore)?,
            words: words(&description["pre_tokenizer"])?,
            first: first_token(&description["post_processor"]),
            vocabulary: vocabulary as u32,
            description,
        };
        for byte in NEEDED.bytes() {
            if made.pairs.encode(&[byte], &mut Vec::new()).is_err() {
                return Err(format!(
                    "it lacks a token for {:?}, which crystals are written with",
                    char::from(byte)
                ));
            }
        }
        Ok(made)
    }

    /// Number of tokens without the new ones, which is the number of the first new one.
    pub fn vocabulary(&self) -> u32 {
        self.vocabulary
    }

    /// The tokens of a text from its beginning.
    ///
    /// # Errors
    /// [`LanguageError::Tokenizer`] for a text that is not ASCII, or a character without a token.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, LanguageError> {
        let mut tokens: Vec<u32> = self.first.into_iter().collect();
        self.encode_piece(text, &mut tokens)?;
        Ok(tokens)
    }

    fn encode_piece(&self, text: &str, tokens: &mut Vec<u32>) -> Result<(), LanguageError> {
        if !text.is_ascii() {
            let message = format!("{text:?} is not ASCII, which crystals are written with");
            return Err(LanguageError::Tokenizer(message));
        }
        for word in self.words.cut(text.as_bytes()) {
            self.pairs.encode(word, tokens).map_err(|byte| {
                LanguageError::Tokenizer(format!("it lacks a token for {:?}", char::from(byte)))
            })?;
        }
        Ok(())
    }

    /// The text of tokens of the model; those of elements are written by name.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let vocabulary = self.description["model"]["vocab"].as_object();
        let names: HashMap<u64, &str> = vocabulary
            .into_iter()
            .flatten()
            .filter_map(|(name, id)| Some((id.as_u64()?, name.as_str())))
            .collect();
        let mut bytes = Vec::new();
        for &token in tokens {
            if let Some(element) = self.element_of(token) {
                bytes.extend(element_token(element).bytes());
            }
            let name = names.get(&u64::from(token)).copied().unwrap_or("");
            bytes.extend(name.chars().filter_map(character_byte));
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The token of an element.
    pub fn element(&self, element: Element) -> u32 {
        self.vocabulary + u32::from(element.atomic_number()) - 1
    }

    /// The element that a token stands for, if it does.
    pub fn element_of(&self, token: u32) -> Option<Element> {
        let number = token.checked_sub(self.vocabulary)?;
        Element::from_atomic_number(u8::try_from(number).ok()?.checked_add(1)?)
    }

    /// The pieces of each element's symbol, from which the rows of its token are made.
    ///
    /// # Errors
    /// [`LanguageError::Tokenizer`] for a symbol that cannot be written.
    pub fn symbol_pieces(&self) -> Result<Vec<Vec<u32>>, LanguageError> {
        let pieces = |element: Element| {
            let mut tokens = Vec::new();
            self.encode_piece(element.symbol(), &mut tokens)?;
            Ok(tokens)
        };
        Element::all().map(pieces).collect()
    }

    /// The tokenizer as Hugging Face keeps it, without the elements.
    pub fn description(&self) -> &Value {
        &self.description
    }

    /// The tokenizer as Hugging Face keeps it, the elements' tokens included.
    pub fn to_json(&self) -> Value {
        let mut description = self.description.clone();
        let elements = Element::all().map(|element| {
            json!({"id": self.element(element), "content": element_token(element),
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
                "special": true})
        });
        match description["added_tokens"].as_array_mut() {
            Some(added) => added.extend(elements),
            None => description["added_tokens"] = elements.collect(),
        }
        description
    }
}

/// The name of an element's token.
pub fn element_token(element: Element) -> String {
    format!("<elem_{element}>")
}

/// A merge as `"a b"` or `["a", "b"]`.
fn pair(merge: &Value) -> Option<(String, String)> {
    let owned = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    match merge {
        Value::String(text) => text.split_once(' ').map(|(a, b)| owned(a, b)),
        Value::Array(pair) => match pair.as_slice() {
            [Value::String(a), Value::String(b)] => Some(owned(a, b)),
            _ => None,
        },
        _ => None,
    }
}

/// The rule for words that a `pre_tokenizer` describes.
fn words(value: &Value) -> Result<Words, String> {
    let unknown = || Err(format!("its pre_tokenizer is not supported: {value}"));
    let by_regex = |value: &Value| match (&value["type"], value["add_prefix_space"].as_bool()) {
        (Value::String(kind), Some(false)) if kind == "ByteLevel" => {
            Some(value["use_regex"].as_bool().unwrap_or(true))
        }
        _ => None,
    };
    if value["type"] != "Sequence" {
        return match by_regex(value) {
            Some(true) => Ok(Words::Gpt2),
            Some(false) => Ok(Words::Whole),
            None => unknown(),
        };
    }
    let parts = value["pretokenizers"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let [first, second] = parts else {
        return unknown();
    };
    let single = first["type"] == "Digits" && first["individual_digits"] == true;
    let llama = first["type"] == "Split"
        && first["pattern"]["Regex"] == LLAMA_3
        && first["behavior"] == "Isolated"
        && first["invert"] == false;
    match by_regex(second) {
        Some(true) if single => Ok(Words::SingleDigits),
        Some(false) if llama => Ok(Words::Llama3),
        _ => unknown(),
    }
}

/// The token that a `post_processor` puts before a text.
fn first_token(value: &Value) -> Option<u32> {
    if let Some(parts) = value["processors"].as_array() {
        return parts.iter().find_map(first_token);
    }
    let name = value["single"].get(0)?["SpecialToken"]["id"].as_str()?;
    let id = value["special_tokens"][name]["ids"].get(0)?.as_u64()?;
    u32::try_from(id).ok()
}

/// A `tokenizer.json` of byte pairs.
fn description(
    vocabulary: &Value,
    merges: &Value,
    ignore_merges: bool,
    words: &Value,
    added: &Value,
    first: Option<(u32, &str)>,
) -> Value {
    let before = first.map(|(id, name)| {
        json!({"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": name, "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"SpecialToken": {"id": name, "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {name: {"id": name, "ids": [id], "tokens": [name]}}})
    });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": null, "pre_tokenizer": words, "post_processor": before,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
            "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null,
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
            "byte_fallback": false, "ignore_merges": ignore_merges, "vocab": vocabulary,
            "merges": merges},
    })
}

/// The tokenizer in a GGUF file as Hugging Face would keep it.
fn of_gguf(file: &GgufFile) -> Result<Value, String> {
    let kind = file.text("tokenizer.ggml.model").unwrap_or("missing");
    if kind != "gpt2" {
        return Err(format!(
            "'tokenizer.ggml.model' is {kind}, expected gpt2 (byte pairs)"
        ));
    }
    let lacks = |key: &str| format!("'tokenizer.ggml.{key}' is missing");
    let tokens = file
        .texts("tokenizer.ggml.tokens")
        .ok_or_else(|| lacks("tokens"))?;
    let merges = file
        .texts("tokenizer.ggml.merges")
        .ok_or_else(|| lacks("merges"))?;
    let kinds = file.numbers("tokenizer.ggml.token_type").unwrap_or(&[]);
    let bytes = |use_regex: bool| {
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": use_regex})
    };
    let after = |first: Value, use_regex| json!({"type": "Sequence", "pretokenizers": [first, bytes(use_regex)]});
    let (words, ignore_merges) = match file.text("tokenizer.ggml.pre").unwrap_or("default") {
        "smollm" => (
            after(json!({"type": "Digits", "individual_digits": true}), true),
            false,
        ),
        "llama-bpe" | "llama3" | "llama-v3" => {
            let split = json!({"type": "Split", "pattern": {"Regex": LLAMA_3},
                "behavior": "Isolated", "invert": false});
            (after(split, false), true)
        }
        "gpt-2" | "default" => (bytes(true), false),
        other => {
            return Err(format!(
                "'tokenizer.ggml.pre' is {other}, expected smollm, llama-bpe or gpt-2"
            ));
        }
    };
    // Type 3 is a control token, 4 one of the user.
    let added: Vec<Value> = tokens
        .iter()
        .enumerate()
        .filter(|(id, _)| {
            kinds
                .get(*id)
                .is_some_and(|kind| *kind == 3.0 || *kind == 4.0)
        })
        .map(|(id, token)| {
            json!({"id": id, "content": token, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": kinds[id] == 3.0})
        })
        .collect();
    let vocabulary: serde_json::Map<String, Value> = tokens
        .iter()
        .enumerate()
        .map(|(id, token)| (token.clone(), json!(id)))
        .collect();
    let adds = file.metadata("tokenizer.ggml.add_bos_token") == Some(&MetadataValue::Bool(true));
    let first = file.number("tokenizer.ggml.bos_token_id").filter(|_| adds);
    let first = first.and_then(|id| Some((id as u32, tokens.get(id as usize)?.as_str())));
    Ok(description(
        &json!(vocabulary),
        &json!(merges),
        ignore_merges,
        &words,
        &json!(added),
        first,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_tokens_and_elements_stand_behind() {
        let tokenizer = CrystalTokenizer::of_bytes().unwrap();
        let tokens = tokenizer.encode("5.0 A\n").unwrap();
        assert_eq!(tokens, "5.0 A\n".bytes().map(u32::from).collect::<Vec<_>>());
        assert_eq!(tokenizer.decode(&tokens), "5.0 A\n");
        assert!(tokenizer.encode("Å").is_err());
        for element in Element::all() {
            assert_eq!(
                tokenizer.element_of(tokenizer.element(element)),
                Some(element)
            );
        }
        assert_eq!(tokenizer.element_of(255), None);
        assert_eq!(tokenizer.element_of(256 + 118), None);
    }

    /// The rule is that of byte pairs: worked out by hand.
    #[test]
    fn pairs_are_merged_by_rank_and_a_first_token_stands_before() {
        let mut vocabulary: serde_json::Map<String, Value> = (0..=255_u8)
            .map(|byte| (byte_character(byte).to_string(), json!(byte)))
            .collect();
        for (id, token) in ["bc", "ab", "abc", "<s>"].iter().enumerate() {
            vocabulary.insert((*token).to_owned(), json!(256 + id));
        }
        let words = json!({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": LLAMA_3}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]});
        let merges = json!(["b c", ["a", "b"], "a bc"]);
        let made = |ignore| {
            let first = Some((259, "<s>"));
            let value = description(
                &json!(vocabulary),
                &merges,
                ignore,
                &words,
                &json!([]),
                first,
            );
            CrystalTokenizer::new(value, 300).unwrap()
        };
        assert_eq!(made(false).encode("abc ab").unwrap(), [259, 258, 32, 257]);
        assert_eq!(made(true).encode("abcb").unwrap(), [259, 258, 98]);
    }

    #[test]
    fn a_tokenizer_that_cannot_do_is_refused() {
        let all = CrystalTokenizer::of_bytes().unwrap().description;
        let refused = |change: &dyn Fn(&mut Value), vocabulary, expected: &str| {
            let mut value = all.clone();
            change(&mut value);
            let error = CrystalTokenizer::new(value, vocabulary).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        refused(&|_| {}, 100, "256 tokens, the model 100");
        let without = |value: &mut Value| {
            let vocabulary = value["model"]["vocab"].as_object_mut().unwrap();
            vocabulary.remove("7");
        };
        refused(&without, 256, "'7'");
        refused(
            &|value| value["normalizer"] = json!({"type": "NFC"}),
            256,
            "normalizer",
        );
        refused(
            &|value| value["model"]["type"] = json!("Unigram"),
            256,
            "expected BPE",
        );
        refused(
            &|value| value["model"]["merges"] = json!(["x yz"]),
            256,
            "vocabulary",
        );
        refused(
            &|value| value["pre_tokenizer"] = json!(null),
            256,
            "pre_tokenizer",
        );
    }
}
