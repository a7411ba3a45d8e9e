//! What may stand on the sites of one name, as it is written.

use std::str::FromStr;

use crystalgym_crystal::Element;

use crate::{SearchError, error::invalid};

/// The elements that may stand on the sites of one name, such as `X=Cl,Br,I`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteChoice {
    /// Name of the sites, as of [`Skeleton::sites_named`](crystalgym_crystal::Skeleton::sites_named).
    pub name: String,
    /// The elements, each once.
    pub elements: Vec<Element>,
}

impl SiteChoice {
    /// A choice of elements for the sites of a name.
    ///
    /// # Errors
    /// [`SearchError::Invalid`] for no element and for one that comes twice.
    pub fn new(name: &str, elements: Vec<Element>) -> Result<Self, SearchError> {
        if elements.is_empty() {
            let message = format!("{name} has no element, expected such as {name}=Cl,Br");
            return Err(invalid("sites", message));
        }
        for (index, element) in elements.iter().enumerate() {
            if elements[..index].contains(element) {
                return Err(invalid("sites", format!("{name} has {element} twice")));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            elements,
        })
    }
}

impl FromStr for SiteChoice {
    type Err = SearchError;

    /// Reads `X=Cl,Br,I`.
    fn from_str(text: &str) -> Result<Self, SearchError> {
        let (name, symbols) = text.split_once('=').ok_or_else(|| {
            let message = format!("'{text}' is no choice of elements, expected such as X=Cl,Br,I");
            invalid("sites", message)
        })?;
        let elements = symbols
            .split(',')
            .filter(|symbol| !symbol.trim().is_empty())
            .map(|symbol| symbol.trim().parse::<Element>());
        Self::new(name.trim(), elements.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read() {
        let choice: SiteChoice = "X=Cl, Br,I".parse().unwrap();
        let symbols: Vec<&str> = choice.elements.iter().map(|e| e.symbol()).collect();
        assert_eq!(
            (choice.name.as_str(), symbols),
            ("X", vec!["Cl", "Br", "I"])
        );
        for (text, said) in [
            ("X", "expected such as X=Cl,Br,I"),
            ("X=", "X has no element"),
            ("X=Cl,Cl", "X has Cl twice"),
            ("X=Cx", "unknown element symbol 'Cx'"),
        ] {
            let error = text.parse::<SiteChoice>().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
