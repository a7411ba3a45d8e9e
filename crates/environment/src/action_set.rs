//! The elements that an agent may choose from.

use crystalgym_crystal::Element;

use crate::EnvironmentError;

/// The elements that an agent may choose from; an action is an index into them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionSet {
    /// `small`, `medium`, `large` or `custom`.
    name: String,
    elements: Vec<Element>,
}

/// The 50 elements of the paper in its order (CrystalGym, action ids); `small` is the first 18,
/// `medium` the first 30.
const LARGE: [&str; 50] = [
    "Li", "Na", "K", "Rb", "Be", "Ca", "Mg", "Sr", "H", "C", "N", "O", "P", "S", "Se", "F", "Cl",
    "Br", // small
    "B", "Si", "Ge", "Fe", "Cu", "Co", "Ni", "Mn", "Al", "Zn", "Sn", "Cr", // medium
    "In", "Sb", "V", "Mo", "Ga", "Ag", "Ti", "Ba", "Y", "Te", "I", "Pd", "Rh", "As", "Pt", "Cs",
    "Au", "Bi", "Zr", "La",
];

impl ActionSet {
    /// Names and sizes of the published sets.
    pub const PUBLISHED: [(&str, usize); 3] = [("small", 18), ("medium", 30), ("large", 50)];

    /// A published set by its name.
    ///
    /// # Errors
    /// [`EnvironmentError::UnknownActionSet`].
    pub fn published(name: &str) -> Result<Self, EnvironmentError> {
        let (name, size) = Self::PUBLISHED
            .into_iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| EnvironmentError::UnknownActionSet(name.to_owned()))?;
        let elements = LARGE[..size]
            .iter()
            .map(|symbol| symbol.parse())
            .collect::<Result<_, _>>()?;
        Ok(Self {
            name: name.to_owned(),
            elements,
        })
    }

    /// A set of one's own.
    ///
    /// # Errors
    /// [`EnvironmentError::UnknownActionSet`] if it is empty, [`EnvironmentError::DuplicateElement`].
    pub fn custom(elements: Vec<Element>) -> Result<Self, EnvironmentError> {
        if elements.is_empty() {
            return Err(EnvironmentError::UnknownActionSet(
                "(no element)".to_owned(),
            ));
        }
        for (index, element) in elements.iter().enumerate() {
            if elements[..index].contains(element) {
                return Err(EnvironmentError::DuplicateElement(element.to_string()));
            }
        }
        Ok(Self {
            name: "custom".to_owned(),
            elements,
        })
    }

    /// `small`, `medium`, `large` or `custom`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The elements by action.
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// Number of actions |A|.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Always false: a set has at least one element.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// The node type of an empty site, |A|.
    pub fn blank(&self) -> u8 {
        self.elements.len() as u8
    }

    /// The action that puts `element`, if there is one.
    pub fn action_of(&self, element: Element) -> Option<u8> {
        self.elements
            .iter()
            .position(|known| *known == element)
            .map(|index| index as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_sets_have_their_sizes_and_no_element_twice() {
        for (name, size) in ActionSet::PUBLISHED {
            let set = ActionSet::published(name).unwrap();
            assert_eq!((set.len(), usize::from(set.blank())), (size, size));
            ActionSet::custom(set.elements().to_vec()).unwrap();
        }
        let symbols = |name: &str, range: std::ops::Range<usize>| -> Vec<&str> {
            ActionSet::published(name).unwrap().elements()[range]
                .iter()
                .map(|e| e.symbol())
                .collect()
        };
        assert_eq!(symbols("small", 15..18), ["F", "Cl", "Br"]);
        assert_eq!(symbols("medium", 28..30), ["Sn", "Cr"]);
        assert_eq!(symbols("large", 48..50), ["Zr", "La"]);
    }

    #[test]
    fn bad_sets_are_refused() {
        assert!(
            ActionSet::published("huge")
                .unwrap_err()
                .to_string()
                .contains("'huge'")
        );
        let sodium: Element = "Na".parse().unwrap();
        assert!(
            ActionSet::custom(vec![sodium, sodium])
                .unwrap_err()
                .to_string()
                .contains("Na")
        );
        assert!(ActionSet::custom(Vec::new()).is_err());
    }
}
