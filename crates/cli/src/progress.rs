//! Progress bars, and the line of numbers beside them.

use std::time::Duration;

use crystalgym_training::{RowSource, RunStatistics};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Turns progress bars off whatever standard error is.
const NO_PROGRESS: &str = "CRYSTALGYM_NO_PROGRESS";

/// A bar for environment steps; hidden when standard error is no terminal.
pub(crate) struct TrainingBar(ProgressBar);

impl TrainingBar {
    pub(crate) fn new(total_steps: u64) -> Self {
        let bar = bar(total_steps, "{bar:30} {pos}/{len} steps, {eta} left  {msg}");
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

/// `312 episodes, mean return 0.81; 120 calculations, 192 from the store, 3 scf_not_converged;
/// best 0.99 CaH3Rb (C2)`.
pub(crate) fn message(statistics: &RunStatistics) -> String {
    let mut text = format!("{} episodes", statistics.episodes);
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
