//! Checkpoints: one folder, switched as a whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crystalgym_crystal::EnclosedFolder;
use crystalgym_environment::{
    ProcessName, RewardForm, SkeletonIdentity, Task, Terms, VectorSnapshot, target_text,
};
use crystalgym_evaluation::Property;
use crystalgym_networks::Checkpoint;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{AgentConfig, AgentError, learned_reward::SavedReward};

/// Name of the file that makes a folder a checkpoint.
const STATE_FILE: &str = "agent.json";
/// Number of the layout described here.
const VERSION: u32 = 2;
/// Largest file of a checkpoint.
const MOST_BYTES: u64 = 1 << 32;

/// `agent.json`, up to what the learner remembers. It names the file of the networks, so that
/// replacing it in one step replaces the whole checkpoint.
#[derive(Serialize)]
struct StateFile<'a> {
    version: u32,
    algorithm: &'a str,
    step: u64,
    task: TaskIdentity,
    settings: &'a AgentConfig,
    networks: Option<NetworksFile>,
    environment: &'a VectorSnapshot,
    #[serde(skip_serializing_if = "Option::is_none")]
    learned_reward: Option<&'a SavedReward>,
}

/// Key of what the learner remembers.
const MEMORY: &str = "memory";

/// What is read first: whether the rest can be understood.
#[derive(Deserialize)]
struct Header {
    version: u32,
    algorithm: String,
    step: u64,
}

#[derive(Serialize, Deserialize)]
struct NetworksFile {
    file: String,
    sha256: String,
}

/// What a folder holds a checkpoint of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointInfo {
    /// Name of the algorithm.
    pub algorithm: String,
    /// Environment steps taken.
    pub step: u64,
}

impl CheckpointInfo {
    /// Looks into a folder.
    ///
    /// # Errors
    /// [`AgentError::Io`] if there is no checkpoint, [`AgentError::Checkpoint`] if it is not one
    /// of this version.
    pub fn read(folder: &Path) -> Result<Self, AgentError> {
        let path = folder.join(STATE_FILE);
        let text = read_file(folder, STATE_FILE)?;
        let header: Header =
            serde_json::from_slice(&text).map_err(|error| invalid(&path, error))?;
        if header.version != VERSION {
            return Err(invalid(
                &path,
                format!("version is {}, expected {VERSION}", header.version),
            ));
        }
        Ok(Self {
            algorithm: header.algorithm,
            step: header.step,
        })
    }
}

/// What a learner remembers.
pub struct Memory {
    /// Numbers and texts, as JSON.
    pub(crate) json: Vec<u8>,
    /// Its networks, if it has any.
    pub(crate) networks: Option<Checkpoint>,
}

impl Memory {
    pub(crate) fn new(
        state: &impl Serialize,
        networks: Option<Checkpoint>,
    ) -> Result<Self, AgentError> {
        let json = serde_json::to_vec(state).map_err(|error| invalid(Path::new(MEMORY), error))?;
        Ok(Self { json, networks })
    }
}

/// What a checkpoint needs to find again in the task that it goes on with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskIdentity {
    skeletons: Vec<SkeletonIdentity>,
    elements: Vec<String>,
    property: Property,
    target: f64,
    #[serde(default, skip_serializing_if = "is_zero")]
    tolerance: f64,
    process: ProcessName,
    /// Absent where it is as many as there are sites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    steps: Option<usize>,
    /// Absent where it is that of the crystal at the end.
    #[serde(default, skip_serializing_if = "is_final")]
    reward_form: RewardForm,
    /// Absent where it is one property.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    objective: Option<Terms>,
}

fn is_final(form: &RewardForm) -> bool {
    *form == RewardForm::Final
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl TaskIdentity {
    pub(crate) fn new(task: &Task) -> Self {
        Self {
            skeletons: task
                .skeletons()
                .iter()
                .map(|skeleton| SkeletonIdentity::of(skeleton))
                .collect(),
            elements: task
                .elements()
                .elements()
                .iter()
                .map(ToString::to_string)
                .collect(),
            property: task.property(),
            target: task.target(),
            tolerance: task.objective().tolerance(),
            process: task.process_name(),
            steps: task.steps(),
            reward_form: task.objective().form(),
            objective: task.terms().map(|terms| terms.as_ref().clone()),
        }
    }

    pub(crate) fn check(&self, found: &Self, folder: &Path) -> Result<(), AgentError> {
        if self.skeletons.len() == found.skeletons.len() {
            for (trained, now) in self.skeletons.iter().zip(&found.skeletons) {
                trained
                    .check(now)
                    .map_err(|message| invalid(folder, message))?;
            }
        }
        let labels = |task: &Self| {
            let labels = task.skeletons.iter().map(|skeleton| skeleton.label.clone());
            labels.collect::<Vec<_>>().join(" ")
        };
        let steps = |task: &Self| {
            let steps = task.steps.map(|steps| steps.to_string());
            steps.unwrap_or_else(|| "one for each site".to_owned())
        };
        let terms = |task: &Self| match &task.objective {
            None => "one property".to_owned(),
            // Names and numbers only: writing them as JSON cannot fail.
            Some(terms) => serde_json::to_string(terms).unwrap_or_default(),
        };
        let parts = [
            ("skeletons", labels(self), labels(found)),
            (
                "elements",
                self.elements.join(" "),
                found.elements.join(" "),
            ),
            (
                "property",
                self.property.to_string(),
                found.property.to_string(),
            ),
            (
                "target",
                target_text(self.target, self.tolerance),
                target_text(found.target, found.tolerance),
            ),
            (
                "process",
                self.process.name().to_owned(),
                found.process.name().to_owned(),
            ),
            ("steps", steps(self), steps(found)),
            (
                "reward_form",
                self.reward_form.name().to_owned(),
                found.reward_form.name().to_owned(),
            ),
            ("objective", terms(self), terms(found)),
        ];
        match parts.into_iter().find(|(_, trained, now)| trained != now) {
            None => Ok(()),
            Some((part, trained, now)) => Err(invalid(
                folder,
                format!("it was made for another task: {part} {trained:?}, not {now:?}"),
            )),
        }
    }
}

/// Writes the networks, then the rest, and then removes what an earlier checkpoint left. Killed
/// anywhere, the folder still holds the earlier checkpoint or the new one.
pub(crate) fn write_checkpoint(
    folder: &Path,
    settings: &AgentConfig,
    task: &Task,
    step: u64,
    environment: &VectorSnapshot,
    memory: &Memory,
    learned_reward: Option<&SavedReward>,
) -> Result<(), AgentError> {
    fs::create_dir_all(folder).map_err(io_error(folder))?;
    let inside = EnclosedFolder::at(folder);
    let networks = memory.networks.as_ref();
    let networks = networks
        .map(|networks| {
            let bytes = networks.to_bytes()?;
            let sha256 = hexadecimal(&bytes);
            // The hash keeps apart what two runs would call the same.
            let file = format!("networks-{step}-{}.safetensors", &sha256[..8]);
            let path = folder.join(&file);
            inside.write(&file, &bytes).map_err(io_error(&path))?;
            Ok::<_, AgentError>(NetworksFile { file, sha256 })
        })
        .transpose()?;
    let kept = networks.as_ref().map(|networks| networks.file.clone());
    let path = folder.join(STATE_FILE);
    let file = StateFile {
        version: VERSION,
        algorithm: settings.name(),
        step,
        task: TaskIdentity::new(task),
        settings,
        networks,
        environment,
        learned_reward,
    };
    let mut text = serde_json::to_vec(&file).map_err(|error| invalid(&path, error))?;
    // The memory is one more member of the object.
    text.pop();
    text.extend_from_slice(format!(",\"{MEMORY}\":").as_bytes());
    text.extend_from_slice(&memory.json);
    text.push(b'}');
    inside.write(STATE_FILE, &text).map_err(io_error(&path))?;
    remove_other_networks(folder, kept.as_deref()).map_err(io_error(folder))
}

/// The files of a checkpoint, as read.
pub struct CheckpointFile {
    folder: PathBuf,
    info: CheckpointInfo,
    text: Vec<u8>,
}

impl CheckpointFile {
    pub(crate) fn read(folder: &Path) -> Result<Self, AgentError> {
        Ok(Self {
            info: CheckpointInfo::read(folder)?,
            text: read_file(folder, STATE_FILE)?,
            folder: folder.to_owned(),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn info(&self) -> &CheckpointInfo {
        &self.info
    }

    pub(crate) fn settings<T: DeserializeOwned>(&self) -> Result<T, AgentError> {
        #[derive(Deserialize)]
        struct Part<T> {
            settings: T,
        }
        Ok(self.part::<Part<T>>()?.settings)
    }

    pub(crate) fn memory<T: DeserializeOwned>(&self) -> Result<T, AgentError> {
        #[derive(Deserialize)]
        struct Part<T> {
            memory: T,
        }
        Ok(self.part::<Part<T>>()?.memory)
    }

    pub(crate) fn environment(&self) -> Result<VectorSnapshot, AgentError> {
        #[derive(Deserialize)]
        struct Part {
            environment: VectorSnapshot,
        }
        Ok(self.part::<Part>()?.environment)
    }

    /// The learned reward, if the run has one.
    pub(crate) fn learned_reward(&self) -> Result<Option<SavedReward>, AgentError> {
        #[derive(Deserialize)]
        struct Part {
            #[serde(default)]
            learned_reward: Option<SavedReward>,
        }
        Ok(self.part::<Part>()?.learned_reward)
    }

    pub(crate) fn networks(&self) -> Result<Checkpoint, AgentError> {
        #[derive(Deserialize)]
        struct Part {
            networks: Option<NetworksFile>,
        }
        let networks = self.part::<Part>()?.networks;
        let networks = networks.ok_or_else(|| invalid(&self.folder, "the networks are missing"))?;
        read_networks(&self.folder, &networks)
    }

    pub(crate) fn check_task(&self, task: &Task) -> Result<(), AgentError> {
        #[derive(Deserialize)]
        struct Part {
            task: TaskIdentity,
        }
        let trained = self.part::<Part>()?.task;
        trained.check(&TaskIdentity::new(task), &self.folder)
    }

    fn part<T: DeserializeOwned>(&self) -> Result<T, AgentError> {
        let path = self.folder.join(STATE_FILE);
        serde_json::from_slice(&self.text).map_err(|error| invalid(&path, error))
    }
}

fn read_networks(folder: &Path, networks: &NetworksFile) -> Result<Checkpoint, AgentError> {
    let path = folder.join(&networks.file);
    let bytes = read_file(folder, &networks.file)?;
    let found = hexadecimal(&bytes);
    if found != networks.sha256 {
        return Err(invalid(
            &path,
            format!("SHA-256 is {found}, expected {}", networks.sha256),
        ));
    }
    Ok(Checkpoint::from_bytes(&bytes)?)
}

/// Reads a file of a checkpoint, which may name another one to be read.
fn read_file(folder: &Path, name: &str) -> Result<Vec<u8>, AgentError> {
    let read = EnclosedFolder::at(folder).read(name, MOST_BYTES);
    read.map_err(io_error(&folder.join(name)))
}

fn remove_other_networks(folder: &Path, kept: Option<&str>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let ours = name.starts_with("networks-") && name.ends_with(".safetensors");
        if ours && Some(name) != kept {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn hexadecimal(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> AgentError + use<> {
    let path: PathBuf = path.to_owned();
    move |source| AgentError::Io { path, source }
}

/// Whether an agent that learns after each step of its environments can have got so far.
pub(crate) fn check_progress(
    steps: u64,
    environments: usize,
    learned_until: u64,
    updates: u64,
    gradient_steps: u64,
) -> Result<(), String> {
    let behind = steps.checked_sub(learned_until);
    if behind.is_none_or(|behind| behind > environments as u64) {
        return Err(format!("it learned until step {learned_until} of {steps}"));
    }
    if updates > learned_until.saturating_mul(gradient_steps) {
        return Err(format!(
            "it counts {updates} gradient steps by step {learned_until}"
        ));
    }
    Ok(())
}

pub(crate) fn invalid(path: &Path, message: impl ToString) -> AgentError {
    AgentError::Checkpoint {
        path: path.to_owned(),
        message: message.to_string(),
    }
}
