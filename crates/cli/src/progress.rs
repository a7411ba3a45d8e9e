//! Progress bars, and the line of numbers beside them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crystalgym_training::{RowSource, RunStatistics};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Turns progress bars off whatever standard error is.
const NO_PROGRESS: &str = "CRYSTALGYM_NO_PROGRESS";

/// A bar for environment steps; hidden when standard error is no terminal.
pub(crate) struct TrainingBar(ProgressBar);

impl TrainingBar {
    pub(crate) fn new(total_steps: u64) -> Self {
        let bar = bar(
            total_steps,
            "{bar:14} {pos}/{len} steps, {eta} left  {wide_msg}",
        );
        bar.enable_steady_tick(Duration::from_millis(500));
        Self(bar)
    }

    pub(crate) fn report(&self, steps: u64, statistics: &RunStatistics) {
        self.0.set_position(steps);
        self.0.set_message(message(statistics));
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// A bar for the fillings of a table; hidden when standard error is no terminal.
pub(crate) struct TableBar(ProgressBar);

impl TableBar {
    pub(crate) fn new(fillings: u64) -> Self {
        let bar = bar(fillings, "{bar:14} {percent:>3} %  {wide_msg}");
        bar.enable_steady_tick(Duration::from_millis(500));
        Self(bar)
    }

    pub(crate) fn report(&self, done: u64, line: String) {
        self.0.set_position(done);
        self.0.set_message(line);
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// A bar for the jobs of a benchmark: `4/12 jobs, 310 calculations, 5m left`.
pub(crate) struct JobsBar {
    bar: ProgressBar,
    jobs: usize,
    so_far: Mutex<SoFar>,
}

#[derive(Default)]
struct SoFar {
    ended: usize,
    /// Steps and calculations of each job that this process has begun.
    by_job: BTreeMap<String, (u64, u64)>,
}

impl JobsBar {
    /// A bar for so many jobs, which take so many environment steps together.
    pub(crate) fn new(jobs: usize, total_steps: u64) -> Self {
        let bar = bar(total_steps, "{bar:14} {percent:>3} %, {wide_msg}");
        bar.enable_steady_tick(Duration::from_millis(500));
        Self {
            bar,
            jobs,
            so_far: Mutex::default(),
        }
    }

    pub(crate) fn report(&self, job: &str, steps: u64, statistics: &RunStatistics) {
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        let calculations = statistics.from_source(RowSource::Computed);
        so_far.by_job.insert(job.to_owned(), (steps, calculations));
        self.show(&so_far);
    }

    /// Writes the line of a job that ended above the bar.
    pub(crate) fn ended(&self, line: &str) {
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        so_far.ended += 1;
        self.bar
            .suspend(|| eprintln!("{:>5}  {line}", so_far.ended));
        self.show(&so_far);
    }

    fn show(&self, so_far: &SoFar) {
        let jobs = so_far.by_job.values();
        let (steps, calculations) = jobs.fold((0, 0), |sum, job| (sum.0 + job.0, sum.1 + job.1));
        self.bar.set_position(steps);
        self.bar.set_message(format!(
            "{}/{} jobs, {calculations} calculations, {:#} left",
            so_far.ended,
            self.jobs,
            HumanDuration(self.bar.eta())
        ));
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A bar for things that are counted, with what came of the latest: `12/36 fillings, 2m left  CsSnI3 1.53`.
pub(crate) struct CountBar(ProgressBar);

impl CountBar {
    pub(crate) fn new(things: &str) -> Self {
        let template = format!("{{bar:14}} {{pos}}/{{len}} {things}, {{eta}} left  {{wide_msg}}");
        let bar = bar(0, &template);
        bar.enable_steady_tick(Duration::from_millis(500));
        Self(bar)
    }

    pub(crate) fn report(&self, done: usize, most: usize, latest: &str) {
        self.0.set_length(most as u64);
        self.0.set_position(done as u64);
        self.0.set_message(latest.to_owned());
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// `312 episodes, mean return 0.81; 120 calculations, 192 from the store, 3 scf_not_converged;
/// best 0.99 RbCaH3 (C2)`.
pub(crate) fn message(statistics: &RunStatistics) -> String {
    let mut text = match statistics.predicted {
        0 => format!("{} episodes", statistics.episodes),
        predicted => format!(
            "{} episodes, of which {predicted} were predicted; of the others",
            statistics.all_episodes()
        ),
    };
    if let Some(mean) = statistics.mean_return() {
        text += &format!(", mean return {mean:.3}");
    }
    text += &format!(
        "; {} calculations",
        statistics.from_source(RowSource::Computed)
    );
    let hits =
        statistics.from_source(RowSource::Store) + statistics.from_source(RowSource::Coalesced);
    if hits > 0 {
        text += &format!(", {hits} shared");
    }
    for (code, count) in &statistics.failures {
        text += &format!(", {count} {code}");
    }
    if let Some(best) = statistics.best.as_slice().first() {
        text += &format!(
            "; best {:.4} {} ({})",
            best.episodic_return,
            best.formula(),
            best.skeleton
        );
    }
    text
}

/// A bar for bytes.
pub(crate) fn byte_bar() -> ProgressBar {
    bar(0, "{bar:30} {bytes}/{total_bytes}, {eta} left")
}

fn bar(length: u64, template: &str) -> ProgressBar {
    let target = if std::env::var_os(NO_PROGRESS).is_some() {
        ProgressDrawTarget::hidden()
    } else {
        // Hidden by itself when standard error is no terminal.
        ProgressDrawTarget::stderr()
    };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
