//! Lists and tables of a file of somebody else, of which only so much is read.

use std::{fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, de};

/// Most members of a list or table that is no list of rows.
const MOST_MEMBERS: usize = 256;

/// A list of texts that is not one of rows.
pub(super) fn few_texts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    struct Visitor;
    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Vec<String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "a list of at most {MOST_MEMBERS} texts")
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                if texts.len() == MOST_MEMBERS {
                    return Err(de::Error::invalid_length(MOST_MEMBERS + 1, &self));
                }
                texts.push(text);
            }
            Ok(texts)
        }
    }
    deserializer.deserialize_seq(Visitor)
}

/// A table that is not one of rows.
pub(super) fn few_members<'de, D, V, M>(deserializer: D) -> Result<M, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
    M: FromIterator<(String, V)>,
{
    struct Visitor<V>(PhantomData<V>);
    impl<'de, V: Deserialize<'de>> de::Visitor<'de> for Visitor<V> {
        type Value = Vec<(String, V)>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "a table of at most {MOST_MEMBERS} members")
        }

        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                if members.len() == MOST_MEMBERS {
                    return Err(de::Error::invalid_length(MOST_MEMBERS + 1, &self));
                }
                members.push(member);
            }
            Ok(members)
        }
    }
    let members = deserializer.deserialize_map(Visitor(PhantomData))?;
    Ok(members.into_iter().collect())
}
