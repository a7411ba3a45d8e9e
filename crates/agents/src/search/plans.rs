//! Plans of the episodes under way, and the actions that carry them out.

use crystalgym_environment::{Action, Observation, Task};

use super::filling::Filling;
use crate::AgentError;

/// Plans of the episodes under way, which are known by what is seen of them next.
#[derive(Default)]
pub(crate) struct PlansUnderWay(Vec<(Expected, Filling)>);

/// What is seen of an episode after an action that it was told to take.
struct Expected {
    skeleton: usize,
    /// Where its traversal started, if that was said.
    start: Option<usize>,
    step: usize,
    node_types: Filling,
}

fn start_of(seen: &Observation<'_>) -> Option<usize> {
    Some(seen.traversal?.start)
}

impl Expected {
    fn is(&self, seen: &Observation<'_>) -> bool {
        let starts = self.start.zip(start_of(seen));
        (self.skeleton, self.step) == (seen.skeleton, seen.step)
            && *self.node_types == *seen.node_types
            && starts.is_none_or(|(expected, start)| expected == start)
    }
}

impl PlansUnderWay {
    /// The next action of each episode's plan; `plan` makes one for an episode that has none.
    pub(crate) fn act(
        &mut self,
        task: &Task,
        seen: &[Observation<'_>],
        mut plan: impl FnMut(&Observation<'_>) -> Result<Filling, AgentError>,
    ) -> Result<Vec<Action>, AgentError> {
        let mut under_way = std::mem::take(&mut self.0);
        let mut actions = Vec::with_capacity(seen.len());
        for seen in seen {
            let plan = match known(&under_way, seen) {
                Some(index) if seen.step > 0 => under_way.swap_remove(index).1,
                _ => plan(seen)?,
            };
            let action = planned_action(task, seen, &plan);
            let mut node_types = Filling::from(seen.node_types);
            task.process().put(&mut node_types, seen.focus, action);
            let expected = Expected {
                skeleton: seen.skeleton,
                start: start_of(seen),
                step: seen.step + 1,
                node_types,
            };
            self.0.push((expected, plan));
            actions.push(action);
        }
        Ok(actions)
    }
}

/// The plan of what is seen; none where a start site that is not said would tell which.
fn known(under_way: &[(Expected, Filling)], seen: &Observation<'_>) -> Option<usize> {
    let is = |(expected, _): &(Expected, Filling)| expected.is(seen);
    let index = under_way.iter().position(is)?;
    let start = |(expected, _): &(Expected, Filling)| expected.start;
    let first = start(&under_way[index]);
    let mut others = under_way[index..].iter().filter(|plan| is(plan));
    others.all(|plan| start(plan) == first).then_some(index)
}

/// The action that brings an episode nearer to its plan; if the task forbids that there, the first
/// action that it allows.
pub(crate) fn planned_action(task: &Task, seen: &Observation<'_>, plan: &[u8]) -> Action {
    let planned = task.process().action_towards(seen, plan);
    planned
        .filter(|&action| seen.allowed.get(usize::from(action)) == Some(&true))
        .or_else(|| Some(seen.allowed.iter().position(|allowed| *allowed)? as Action))
        .unwrap_or_default()
}
