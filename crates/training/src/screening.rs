//! What may look at crystals cheaply.

use crystalgym_agents::AgentConfig;
use crystalgym_evaluation::{CalculatorConfig, CalculatorName};

use crate::layers::BadField;

/// Whether an agent can have crystals looked at by this calculator before it has them calculated, or learns on a
/// learned reward.
///
/// # Errors
/// Which setting cannot be, and what would be right.
pub(crate) fn check_screening(
    screening: &CalculatorConfig,
    agent: &AgentConfig,
    has_learned_reward: bool,
) -> Result<(), BadField> {
    let bad = |field: &str, message: String| {
        Err(BadField {
            field: field.to_owned(),
            message,
        })
    };
    if !matches!(agent, AgentConfig::Surrogate(_)) {
        let message = format!(
            "is for algorithm.name = 'surrogate', found '{}'",
            agent.name()
        );
        return bad("screening", message);
    }
    if has_learned_reward {
        let message = "cannot be beside a learned_reward, expected one of the two".to_owned();
        return bad("screening", message);
    }
    let mut all = screening.for_property.values().chain([screening]);
    if all.any(|calculator| calculator.name == CalculatorName::Qe) {
        let message = "is 'qe', expected a calculator that starts no program: native, table, chgnet, \
                       empirical or rigid";
        return bad("screening.name", message.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{ConfigLayers, TrainingConfig};

    fn resolve(settings: &[&str]) -> Result<TrainingConfig, String> {
        let mut layers = ConfigLayers::default();
        for setting in settings {
            layers.add_assignment(setting).unwrap();
        }
        TrainingConfig::resolve(&layers, None).map_err(|error| error.to_string())
    }

    #[test]
    fn screening_has_its_agent_and_starts_no_program() {
        let surrogate = "algorithm.name=surrogate";
        let config = resolve(&[surrogate, "screening.native.kppa=100"]).unwrap();
        assert_eq!(config.screening.unwrap().native.kppa, Some(100.0));
        for (settings, said) in [
            (vec!["screening.name=native"], "'surrogate', found 'dqn'"),
            (
                vec![surrogate, "screening.name=qe"],
                "'screening.name' is 'qe'",
            ),
            (
                vec![surrogate, "screening.for_property.density.name=qe"],
                "'screening.name' is 'qe'",
            ),
            (
                vec![
                    surrogate,
                    "screening.name=rigid",
                    "learned_reward.examples=3",
                ],
                "one of the two",
            ),
            (vec![surrogate, "screening.names=rigid"], "screening.name"),
        ] {
            let error = resolve(&settings).unwrap_err();
            assert!(error.contains(said), "{settings:?}: {error}");
        }
    }
}
