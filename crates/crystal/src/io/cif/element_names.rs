//! Elements of type symbols and of labels.

use crate::Element;

/// Plutonium; heavier elements are written Nh, not NH.
const LAST_IN_CAPITALS: u8 = 94;

/// An element's symbol in any case, hydrogen's isotopes included.
fn of_symbol(letters: &str) -> Option<Element> {
    let mut proper = letters.to_ascii_lowercase();
    if proper.len() > 2 {
        return None;
    }
    proper.get_mut(..1)?.make_ascii_uppercase();
    match proper.as_str() {
        "D" | "T" => "H".parse().ok(),
        symbol => symbol.parse().ok(),
    }
}

/// The element of a type symbol such as Na, NA, Na1+ or Fe3+; none for Wat, O-H, H2O or CO3.
pub(super) fn of_type_symbol(text: &str) -> Option<Element> {
    let end = text
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (letters, charge) = text.split_at(end);
    let is_charge = charge
        .chars()
        .all(|c| c.is_ascii_digit() || "+-.,()".contains(c));
    let element = of_symbol(letters).filter(|_| is_charge)?;
    let in_capitals = letters.len() == 2 && letters.chars().all(|c| c.is_ascii_uppercase());
    if in_capitals {
        // NH, CN and NO are no heavy elements, and CO3 is not cobalt.
        let of_two = (0..2).all(|at| of_symbol(&letters[at..=at]).is_some());
        let is_count = !charge.is_empty() && charge.bytes().all(|b| b.is_ascii_digit());
        if element.atomic_number() > LAST_IN_CAPITALS || (of_two && is_count) {
            return None;
        }
    }
    Some(element)
}

/// The element that a label such as Na1, O1W, CL2 or H12B starts with.
///
/// Two capitals that are both an element and start with one, NA or CA, are read as the formula
/// says (`stated`: whether it has an element; `None` without a formula), or else as one element unless
/// there is hydrogen, where labels such as CA and HO are usual.
pub(super) fn of_label(
    text: &str,
    organic: bool,
    stated: impl Fn(Element) -> Option<bool>,
) -> Option<Element> {
    let end = text
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let letters = &text[..end];
    let one = letters.get(..1).and_then(of_symbol);
    let two = letters.get(..2).and_then(of_type_symbol);
    let proper_case = letters
        .get(1..2)
        .is_some_and(|second| second.chars().all(|c| c.is_ascii_lowercase()));
    match (one, two) {
        (_, Some(two)) if letters.len() == 2 && proper_case => Some(two),
        (Some(one), Some(two)) => match (stated(one), stated(two)) {
            (Some(true), Some(false)) => Some(one),
            (Some(false), Some(true)) => Some(two),
            _ if letters.len() == 2 && !organic => Some(two),
            _ => None,
        },
        (Some(one), None) if letters.len() <= 2 => Some(one),
        (None, Some(two)) if letters.len() == 2 => Some(two),
        (Some(one), None) => Some(one).filter(|&one| stated(one) == Some(true)),
        (None, _) => None,
    }
}
