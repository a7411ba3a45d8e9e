//! Whether a network can read what it is shown.

use crystalgym_environment::Observation;

use crate::NetworkError;

/// What the states of one skeleton have to fit.
pub(crate) struct Frame<'a> {
    /// Label of the skeleton.
    pub(crate) label: &'a str,
    /// Its number of sites.
    pub(crate) sites: usize,
    /// The first site that cannot be in focus.
    pub(crate) focus_limit: usize,
}

/// Whether all states are of one of so many skeletons, with node types up to `blank`.
///
/// # Errors
/// [`NetworkError::State`] names the first state that is not, and the field.
pub(crate) fn check_states<'f>(
    states: &[Observation<'_>],
    skeletons: usize,
    blank: usize,
    frame: impl Fn(usize) -> Frame<'f>,
) -> Result<(), NetworkError> {
    for (i, state) in states.iter().enumerate() {
        let bad = |field, found: String, expected: String| {
            Err(NetworkError::State {
                state: i,
                field,
                found,
                expected,
            })
        };
        if state.skeleton >= skeletons {
            let expected = format!("below {skeletons}");
            return bad("skeleton", state.skeleton.to_string(), expected);
        }
        let frame = frame(state.skeleton);
        if state.node_types.len() != frame.sites {
            let expected = format!("{}, the sites of {}", frame.sites, frame.label);
            let found = state.node_types.len().to_string();
            return bad("number of node types", found, expected);
        }
        if let Some(&t) = state.node_types.iter().find(|&&t| usize::from(t) > blank) {
            return bad("node type", t.to_string(), format!("0 to {blank}"));
        }
        if state.focus >= frame.focus_limit {
            let expected = format!("below {}", frame.focus_limit);
            return bad("focus", state.focus.to_string(), expected);
        }
        if !(state.target as f32).is_finite() {
            let expected = "a finite number".to_owned();
            return bad("target", state.target.to_string(), expected);
        }
        if state.steps == 0 || state.step > state.steps {
            let expected = format!("0 to {}, of at least 1", state.steps);
            return bad("step", state.step.to_string(), expected);
        }
    }
    Ok(())
}
