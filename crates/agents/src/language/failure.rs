//! What is wrong with a model or its files, as the agent says it.

use crystalgym_language::LanguageError;

use crate::{AgentError, check};

pub(super) fn language_error(error: &LanguageError) -> AgentError {
    check::bad("model", error, "a model that can be used")
}
