//! Everything that decides a training run.

use std::{path::Path, sync::Arc};

use crystalgym_agents::{
    AgentConfig, AgentError, DqnConfig, Evaluator, GFlowNetConfig, GeneticConfig, LanguageConfig,
    LearnedRewardConfig, LocalSearchConfig, PpoConfig, RandomSearchConfig, SacConfig,
    SurrogateConfig,
};
use crystalgym_conservative::ObjectiveModelError;
use crystalgym_environment::{ProcessName, TaskConfig, named_tasks};
use crystalgym_evaluation::{CalculatorConfig, Decides, Property, check_store_name};
use crystalgym_networks::{NetworkConfig, NetworkError};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{
    ConfigLayers, TrainingError,
    base_task::{first_task, without_what_belongs_to_other_settings},
    layers::BadField,
    screening::check_screening,
    store_choice::open_store,
};

/// Crystals that a trained agent is let make at a time.
pub(crate) const MOST_ROLLOUTS: usize = 10_000;
const MOST_STEPS: u64 = 1_000_000_000_000_000;

/// Everything that decides a training run; saved with it as `config.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Which agent, and from which settings it starts.
    pub algorithm: AlgorithmConfig,
    /// What the agent is to achieve.
    pub task: TaskConfig,
    /// What rewards come from.
    pub calculator: CalculatorConfig,
    /// What looks at crystals cheaply, so that the agent `surrogate` calculates the promising ones alone;
    /// absent: nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screening: Option<CalculatorConfig>,
    /// A model in the place of most calculations; absent: every reward is calculated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned_reward: Option<LearnedRewardConfig>,
    /// How evaluations are run and shared.
    pub evaluation: EvaluationConfig,
    /// What is written and when.
    pub output: OutputConfig,
    /// Settings of `dqn`.
    pub dqn: DqnConfig,
    /// Settings of `rainbow`.
    #[serde(default = "DqnConfig::rainbow")]
    pub rainbow: DqnConfig,
    /// Settings of `ppo`.
    #[serde(default)]
    pub ppo: PpoConfig,
    /// Settings of `sac`.
    #[serde(default)]
    pub sac: SacConfig,
    /// Settings of `gflownet`.
    #[serde(default)]
    pub gflownet: GFlowNetConfig,
    /// Settings of `surrogate`.
    #[serde(default)]
    pub surrogate: SurrogateConfig,
    /// Settings of `llm`.
    #[serde(default)]
    pub llm: LanguageConfig,
    /// Settings of `random_search`.
    pub random_search: RandomSearchConfig,
    /// Settings of `genetic`.
    #[serde(default)]
    pub genetic: GeneticConfig,
    /// Settings of `local_search`.
    #[serde(default)]
    pub local_search: LocalSearchConfig,
}

/// Which agent is trained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlgorithmConfig {
    /// `dqn`, `rainbow`, `ppo`, `sac`, `gflownet`, `surrogate`, `llm`, `random_search`, `genetic` or
    /// `local_search`.
    pub name: Algorithm,
    /// `standard` (ours) or `paper` (as the published runs).
    pub preset: Preset,
}

impl Default for AlgorithmConfig {
    fn default() -> Self {
        Self {
            name: Algorithm::Dqn,
            preset: Preset::Standard,
        }
    }
}

/// An agent that can be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Deep Q-learning.
    Dqn,
    /// Deep Q-learning with the options of Rainbow.
    Rainbow,
    /// Proximal policy optimisation.
    Ppo,
    /// Soft actor-critic for discrete actions.
    Sac,
    /// A generative flow network, which makes many good crystals.
    #[serde(rename = "gflownet")]
    GFlowNet,
    /// A model of the property, and calculations where it says.
    Surrogate,
    /// A language model.
    Llm,
    /// Random elements on every site: what learning has to beat.
    #[serde(alias = "random")]
    RandomSearch,
    /// A genetic algorithm over fillings.
    Genetic,
    /// Hill climbing with random restarts.
    LocalSearch,
}

impl Algorithm {
    /// Whether it proposes crystals and learns no policy: in the end it repeats its best find.
    pub fn is_search(self) -> bool {
        match self {
            Self::Dqn
            | Self::Rainbow
            | Self::Ppo
            | Self::Sac
            | Self::GFlowNet
            | Self::Surrogate
            | Self::Llm => false,
            Self::RandomSearch | Self::Genetic | Self::LocalSearch => true,
        }
    }

    /// Whether it has a network, whose kind can be chosen.
    pub fn has_network(self) -> bool {
        matches!(
            self,
            Self::Dqn | Self::Rainbow | Self::Ppo | Self::Sac | Self::GFlowNet
        )
    }

    /// The name used in configurations and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dqn => "dqn",
            Self::Rainbow => "rainbow",
            Self::Ppo => "ppo",
            Self::Sac => "sac",
            Self::GFlowNet => "gflownet",
            Self::Surrogate => "surrogate",
            Self::Llm => "llm",
            Self::RandomSearch => "random_search",
            Self::Genetic => "genetic",
            Self::LocalSearch => "local_search",
        }
    }
}

/// Settings that an agent starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Tuned for rewards that cost a calculation each.
    Standard,
    /// Those of the published runs.
    Paper,
}

impl Preset {
    /// The name used in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Paper => "paper",
        }
    }
}

/// How evaluations are run and shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Calculations at the same time.
    pub workers: usize,
    /// The store of results: `default` (the user's own, shared by all runs), `none`, or a file.
    pub store: String,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            workers: 2,
            store: "default".to_owned(),
        }
    }
}

/// What is written and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutputConfig {
    /// Environment steps between checkpoints.
    pub checkpoint_every: u64,
    /// Checkpoints that are kept.
    pub checkpoints_kept: usize,
    /// Best crystals that are kept as CIF.
    pub best_crystals: usize,
    /// Greedy rollouts at the end of the run.
    pub evaluation_rollouts: usize,
    /// Episodes between two looks at the greedy policy, five rollouts each, whose crystals are
    /// calculated where they are not known; 0 for none.
    pub look_every: u64,
}

impl Default for OutputConfig {
    fn default() -> Self {
        Self {
            checkpoint_every: 1000,
            checkpoints_kept: 2,
            best_crystals: 10,
            evaluation_rollouts: crystalgym_agents::PUBLISHED_ROLLOUTS,
            look_every: 0,
        }
    }
}

impl TrainingConfig {
    /// The configuration that the layers give over the defaults, which depend on the algorithm's
    /// preset and the property that the layers name. Without a named task the task is [`first_task`];
    /// what the layers say of it changes those keys alone, and what belongs to them: the target to the
    /// property, `elements` and `allowed` to the skeletons.
    ///
    /// # Errors
    /// [`TrainingError::Configuration`] with the source, the field and what would be right.
    pub fn resolve(layers: &ConfigLayers, task_name: Option<&str>) -> Result<Self, TrainingError> {
        let task = match task_name {
            Some(name) => named_task(name)?,
            None => first_task(),
        };
        let said = layers.said();
        let under_the_layers = |config: &Self| -> Result<Table, TrainingError> {
            let mut table = config.to_table()?;
            if let (Some(Value::Table(base)), Some(Value::Table(said))) =
                (table.get_mut("task"), said.get("task"))
            {
                without_what_belongs_to_other_settings(base, said);
            }
            Ok(table)
        };
        let first_look = Self::defaults(task.clone(), AlgorithmConfig::default());
        let first_look: Self = layers.resolve(under_the_layers(&first_look)?)?;
        let mut base = Self::defaults(task, first_look.algorithm.clone());
        if said.contains_key("learned_reward") {
            base.learned_reward = Some(match first_look.algorithm.preset {
                Preset::Standard => LearnedRewardConfig::standard(),
                Preset::Paper => LearnedRewardConfig::paper(),
            });
        }
        if first_look.algorithm.preset == Preset::Paper {
            let property = first_look.task.property;
            base.dqn = DqnConfig::paper(property);
            base.rainbow = DqnConfig::paper_rainbow(property);
            base.ppo = PpoConfig::paper(property);
            base.sac = SacConfig::paper(property);
            // A network that is asked for has the shape that it was published with.
            for (section, network) in [
                ("dqn", &mut base.dqn.network),
                ("rainbow", &mut base.rainbow.network),
                ("ppo", &mut base.ppo.network),
                ("sac", &mut base.sac.network),
            ] {
                let architecture = said
                    .get(section)
                    .and_then(|agent| agent.get("network")?.get(NetworkConfig::ARCHITECTURE));
                let published = architecture
                    .and_then(Value::as_str)
                    .and_then(NetworkConfig::published_on);
                if let Some(published) = published {
                    *network = published;
                }
            }
            base.llm = LanguageConfig::paper();
        }
        let config: Self = layers.resolve(under_the_layers(&base)?)?;
        config.check_ranges().map_err(|bad| layers.blame(bad))?;
        Ok(config)
    }

    fn defaults(task: TaskConfig, algorithm: AlgorithmConfig) -> Self {
        Self {
            algorithm,
            task,
            calculator: CalculatorConfig::default(),
            screening: None,
            learned_reward: None,
            evaluation: EvaluationConfig::default(),
            output: OutputConfig::default(),
            dqn: DqnConfig::standard(),
            rainbow: DqnConfig::rainbow(),
            ppo: PpoConfig::standard(),
            sac: SacConfig::standard(),
            gflownet: GFlowNetConfig::default(),
            surrogate: SurrogateConfig::default(),
            llm: LanguageConfig::standard(),
            genetic: GeneticConfig::default(),
            local_search: LocalSearchConfig::default(),
            random_search: RandomSearchConfig::default(),
        }
    }

    /// Reads the configuration of a run, whose path is for messages.
    ///
    /// # Errors
    /// [`TrainingError::Configuration`] with the file and the field.
    pub(crate) fn from_toml(text: &str, path: &Path) -> Result<Self, TrainingError> {
        let mut layers = ConfigLayers::default();
        layers.add_text(text, path)?;
        let config: Self = layers.resolve(Table::new())?;
        config.check_ranges().map_err(|bad| layers.blame(bad))?;
        Ok(config)
    }

    /// The configuration as TOML.
    ///
    /// # Errors
    /// [`TrainingError::Configuration`] if a value has no place in TOML.
    pub fn to_toml(&self) -> Result<String, TrainingError> {
        toml::to_string_pretty(self).map_err(not_toml)
    }

    pub(crate) fn to_table(&self) -> Result<Table, TrainingError> {
        Table::try_from(self).map_err(not_toml)
    }

    /// Whether all settings are in their ranges.
    ///
    /// # Errors
    /// [`TrainingError::Configuration`] names the first that is not.
    pub(crate) fn check(&self) -> Result<(), TrainingError> {
        self.check_ranges()
            .map_err(|bad| ConfigLayers::default().blame(bad))
    }

    fn check_ranges(&self) -> Result<(), BadField> {
        let output = &self.output;
        let (kept, best) = (output.checkpoints_kept, output.best_crystals);
        let counts = [
            (
                "output.checkpoint_every",
                output.checkpoint_every,
                1..=MOST_STEPS,
            ),
            ("output.look_every", output.look_every, 0..=MOST_STEPS),
            ("output.checkpoints_kept", kept as u64, 1..=10_000),
            ("output.best_crystals", best as u64, 0..=10_000),
            (
                "output.evaluation_rollouts",
                output.evaluation_rollouts as u64,
                0..=MOST_ROLLOUTS as u64,
            ),
            (
                "evaluation.workers",
                self.evaluation.workers as u64,
                1..=1024,
            ),
        ];
        for (field, value, range) in counts {
            if !range.contains(&value) {
                let (least, most) = (range.start(), range.end());
                return Err(BadField {
                    field: field.to_owned(),
                    message: format!("is {value}, expected {least} to {most}"),
                });
            }
        }
        if self.evaluation.store.is_empty() || self.evaluation.store.starts_with(':') {
            return Err(BadField {
                field: "evaluation.store".to_owned(),
                message: format!(
                    "is {:?}, expected 'default', 'none' or the path of a file",
                    self.evaluation.store
                ),
            });
        }
        if let Err(error) = check_store_name(Path::new(&self.evaluation.store)) {
            return Err(BadField {
                field: "evaluation.store".to_owned(),
                message: error.to_string(),
            });
        }
        if let Some(screening) = &self.screening {
            check_screening(screening, &self.agent(), self.learned_reward.is_some())?;
        }
        if let Some(learned) = &self.learned_reward {
            let checked = learned.check();
            checked.map_err(|error| bad_setting("learned_reward", &error))?;
        }
        for agent in [
            AgentConfig::Dqn(self.dqn.clone()),
            AgentConfig::Rainbow(self.rainbow.clone()),
            AgentConfig::Ppo(self.ppo.clone()),
            AgentConfig::Sac(self.sac.clone()),
            AgentConfig::GFlowNet(self.gflownet.clone()),
            AgentConfig::Surrogate(self.surrogate.clone()),
            AgentConfig::Llm(self.llm.clone()),
            AgentConfig::RandomSearch(self.random_search.clone()),
            AgentConfig::Genetic(self.genetic.clone()),
            AgentConfig::LocalSearch(self.local_search.clone()),
        ] {
            agent
                .check()
                .map_err(|error| bad_setting(agent.name(), &error))?;
        }
        Ok(())
    }

    /// The chosen algorithm with its settings.
    pub fn agent(&self) -> AgentConfig {
        match self.algorithm.name {
            Algorithm::Dqn => AgentConfig::Dqn(self.dqn.clone()),
            Algorithm::Rainbow => AgentConfig::Rainbow(self.rainbow.clone()),
            Algorithm::Ppo => AgentConfig::Ppo(self.ppo.clone()),
            Algorithm::Sac => AgentConfig::Sac(self.sac.clone()),
            Algorithm::GFlowNet => AgentConfig::GFlowNet(self.gflownet.clone()),
            Algorithm::Surrogate => AgentConfig::Surrogate(self.surrogate.clone()),
            Algorithm::Llm => AgentConfig::Llm(self.llm.clone()),
            Algorithm::RandomSearch => AgentConfig::RandomSearch(self.random_search.clone()),
            Algorithm::Genetic => AgentConfig::Genetic(self.genetic.clone()),
            Algorithm::LocalSearch => AgentConfig::LocalSearch(self.local_search.clone()),
        }
    }

    /// Seed of the algorithm.
    pub fn seed(&self) -> u64 {
        self.agent().seed()
    }

    /// What rewards come from: the calculator with its store and workers.
    ///
    /// # Errors
    /// [`TrainingError::Calculator`] or [`TrainingError::Store`].
    pub fn evaluator(&self) -> Result<Evaluator, TrainingError> {
        let calculator = match self.task.objective.clone() {
            None => self.calculator.build_for(self.task.property)?,
            Some(terms) => {
                let properties = terms.properties();
                let decides: Box<Decides> = Box::new(move |known| terms.is_decided(known));
                self.calculator.build_terms(&properties, Some(decides))?
            }
        };
        let screening = self.screening.as_ref();
        let screening = screening
            .map(|screening| screening.build_for(self.task.property))
            .transpose()?;
        let stored = screening.as_ref().filter(|_| calculator.is_instant());
        let stored = stored.unwrap_or(&calculator).as_ref();
        let store = open_store(&self.evaluation.store, stored)?;
        Ok(Evaluator {
            calculator,
            store: store.map(Arc::new),
            workers: self.evaluation.workers,
            screening,
        })
    }

    /// A short name for a run of this configuration, such as `density-C2-dqn-seed1`.
    pub fn run_name(&self) -> String {
        let skeletons = match self.task.skeletons.as_slice() {
            [only] => Path::new(only)
                .file_stem()
                .map_or_else(|| only.clone(), |stem| stem.to_string_lossy().into_owned()),
            _ => "mixed".to_owned(),
        };
        let property = match &self.task.objective {
            None => self.task.property.to_string(),
            Some(terms) => {
                let names = terms.properties().into_iter().map(Property::name);
                names.collect::<Vec<_>>().join("+")
            }
        };
        let algorithm = self.algorithm.name.name();
        let process = match self.task.process {
            ProcessName::Filling => "",
            ProcessName::Substitution => "-substitution",
            ProcessName::Improvement => "-improvement",
        };
        let seed = self.seed();
        format!("{property}-{skeletons}{process}-{algorithm}-seed{seed}")
    }
}

fn named_task(name: &str) -> Result<TaskConfig, TrainingError> {
    named_tasks()
        .into_iter()
        .find(|task| task.name == name)
        .map(|task| task.config)
        .ok_or_else(|| TrainingError::Configuration {
            origin: "--task".to_owned(),
            message: format!("unknown task '{name}': `crystalgym list tasks` shows them"),
        })
}

/// The setting that a check names, with its section.
fn bad_setting(section: &str, error: &AgentError) -> BadField {
    let (field, found, expected) = match error {
        AgentError::Config {
            field,
            found,
            expected,
        } => (format!("{section}.{field}"), found, expected),
        AgentError::Network(NetworkError::Config {
            field,
            found,
            expected,
        }) => (format!("{section}.network.{field}"), found, expected),
        AgentError::Model(ObjectiveModelError::Config {
            field,
            found,
            expected,
        }) => (format!("{section}.model.{field}"), found, expected),
        other => {
            return BadField {
                field: section.to_owned(),
                message: other.to_string(),
            };
        }
    };
    BadField {
        field,
        message: format!("is {found}, expected {expected}"),
    }
}

fn not_toml(error: toml::ser::Error) -> TrainingError {
    TrainingError::Configuration {
        origin: "configuration".to_owned(),
        message: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunFolder;

    fn resolve(assignments: &[&str]) -> Result<TrainingConfig, TrainingError> {
        let mut layers = ConfigLayers::default();
        for assignment in assignments {
            layers.add_assignment(assignment)?;
        }
        TrainingConfig::resolve(&layers, None)
    }

    #[test]
    fn the_resolved_configuration_reads_back_to_itself() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        let config = resolve(&["task.target=5", "dqn.seed=7"]).unwrap();
        std::fs::write(
            folder.path().join(RunFolder::CONFIG),
            config.to_toml().unwrap(),
        )
        .unwrap();
        assert_eq!(run.config().unwrap(), config);
        assert_eq!((config.task.target, config.dqn.seed), (5.0, 7));
    }

    #[test]
    fn a_preset_sets_what_nobody_else_does() {
        let config = resolve(&[
            "algorithm.preset=paper",
            "task.property=band_gap",
            "dqn.batch_size=8",
        ])
        .unwrap();
        assert_eq!(config.dqn.total_steps, 200_000);
        assert_eq!(
            (config.dqn.batch_size, config.dqn.replay_capacity),
            (8, 2000)
        );
    }

    #[test]
    fn bad_settings_are_named() {
        let error = resolve(&["dqn.batch=8"]).unwrap_err().to_string();
        assert!(
            error.contains("--set dqn.batch=8") && error.contains("`batch_size`"),
            "{error}"
        );
        let error = resolve(&["task.property=colour"]).unwrap_err().to_string();
        assert!(
            error.contains("task.property") && error.contains("band_gap"),
            "{error}"
        );
        let error = resolve(&["evaluation.workers=0"]).unwrap_err().to_string();
        assert!(error.contains("'evaluation.workers' is 0"), "{error}");
        let error = TrainingConfig::resolve(&ConfigLayers::default(), Some("x"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown task 'x'"), "{error}");
    }
}
