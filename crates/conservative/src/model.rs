//! A model of several networks: pretraining, fine-tuning, predictions, cross-validation.

use std::sync::Arc;

use crystalgym_environment::{Task, random::uniform_below};
use crystalgym_networks::{Adam, GraphNetwork, GraphTemplate, Parameters};
use rand_pcg::Pcg64;

use crate::{
    Ascent, Attack, Example, Examples, Losses, Objective, ObjectiveModelConfig,
    ObjectiveModelError, Scale, Truth,
    member::{Member, attack, template},
};

/// A conservative objective model.
pub struct ObjectiveModel {
    pub(crate) config: ObjectiveModelConfig,
    pub(crate) objective: Objective,
    pub(crate) members: Vec<Member>,
}

/// What the members of a model say of a crystal.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Belief {
    /// The property by each, in its unit.
    pub values: Vec<f64>,
    /// The probability of a failure by each; all 0 where it is not predicted.
    pub failures: Vec<f64>,
}

impl Belief {
    /// Mean of the members' values.
    pub fn value(&self) -> f64 {
        mean(&self.values)
    }

    /// Their standard deviation; 0 of a single member.
    pub fn spread(&self) -> f64 {
        spread(&self.values)
    }

    /// Mean of the members' probabilities of a failure.
    pub fn failure_probability(&self) -> f64 {
        mean(&self.failures)
    }
}

pub(crate) fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}

pub(crate) fn spread(numbers: &[f64]) -> f64 {
    let mean = mean(numbers);
    let square = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    (square / numbers.len().max(1) as f64).sqrt()
}

/// A pass of a member over its data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// The member, from 1.
    pub member: usize,
    /// The pass, from 1.
    pub epoch: usize,
    /// Means over its batches.
    pub losses: Losses,
    /// α or w after it.
    pub weight: f64,
    /// Squared error of the standardised values of what the member leaves out; `None` if that is nothing.
    pub validation_error: Option<f64>,
}

impl ObjectiveModel {
    /// A model of the crystals of a task that has learned nothing, with the skeletons and elements that data
    /// have beside those of the task.
    ///
    /// # Errors
    /// [`ObjectiveModelError::Config`] or [`ObjectiveModelError::Network`] for settings that cannot be.
    pub fn new(
        config: ObjectiveModelConfig,
        task: &Task,
        data: &Examples,
        seed: u64,
    ) -> Result<Self, ObjectiveModelError> {
        config.check()?;
        let choice = task.elements().len();
        let elements = choice + data.elements.len();
        let others = &data.skeletons;
        let skeletons = task.skeletons().iter().chain(others);
        let templates: Arc<[GraphTemplate]> = skeletons
            .map(|skeleton| template(&config, elements, skeleton))
            .collect();
        let numbers = 0..config.members as u64;
        let members = numbers.map(|number| {
            let seed = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let templates = Arc::clone(&templates);
            Member::new(&config, (choice, elements), templates, seed)
        });
        Ok(Self {
            members: members.collect::<Result<_, _>>()?,
            objective: Objective {
                climb: config.climb,
                reward: task.objective().reward().clone(),
                target: task.target(),
                // Until there are data.
                scale: Scale {
                    mean: task.target(),
                    spread: task.objective().scale(),
                },
            },
            config,
        })
    }

    /// The settings.
    pub fn config(&self) -> &ObjectiveModelConfig {
        &self.config
    }

    /// What ascents climb on.
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// Learns from what is known, pass by pass; each member keeps its best pass by what it leaves out.
    ///
    /// # Errors
    /// [`ObjectiveModelError::Diverged`], or [`ObjectiveModelError::Network`] for an example that does not
    /// fit its skeleton.
    pub fn pretrain(&mut self, examples: &[Example]) -> Result<Vec<Epoch>, ObjectiveModelError> {
        let values: Vec<f64> = examples.iter().filter_map(value).collect();
        if !values.is_empty() {
            self.objective.scale = Scale::of(&values);
        }
        let mut epochs = Vec::new();
        let count = self.members.len();
        for (number, member) in self.members.iter_mut().enumerate() {
            let order = shuffled(examples.len(), &mut member.rng);
            let left_out = (self.config.validation * examples.len() as f64).round() as usize;
            let is_left_out = |place: usize, index: usize| match count {
                1 => place < left_out,
                _ => index % count == number,
            };
            let part = |wanted: bool| -> Vec<&Example> {
                let places = order.iter().enumerate();
                let of_part =
                    places.filter(|(place, index)| is_left_out(*place, **index) == wanted);
                of_part.map(|(_, index)| &examples[*index]).collect()
            };
            let (mut learned, held_out) = (part(false), part(true));
            if learned.is_empty() {
                continue;
            }
            let mut best: Option<(f64, Parameters, Adam)> = None;
            for epoch in 1..=self.config.epochs {
                shuffle(&mut learned, &mut member.rng);
                let mut sum = Losses::default();
                for batch in learned.chunks(self.config.batch_size) {
                    let share = batch.len() as f64 / learned.len() as f64;
                    let losses = member.step(batch, &self.objective, &self.config)?;
                    sum.error += share * losses.error;
                    sum.failure += share * losses.failure;
                    sum.gap += share * losses.gap;
                    sum.total += share * losses.total;
                }
                let validation_error = error_of(member, &held_out, self.objective.scale)?;
                epochs.push(Epoch {
                    member: number + 1,
                    epoch,
                    losses: sum,
                    weight: member.conservative.weight,
                    validation_error,
                });
                if let Some(error) = validation_error
                    && best.as_ref().is_none_or(|(least, ..)| error < *least)
                {
                    let parameters = member.network.parameters().clone();
                    best = Some((error, parameters, member.adam.clone()));
                }
            }
            if let Some((_, parameters, adam)) = best {
                member.network.parameters_mut().copy_from(&parameters)?;
                member.adam = adam;
            }
        }
        Ok(epochs)
    }

    /// So many gradient steps of each member on what is new, half of each batch out of what was there
    /// before, if anything was. Of several members each leaves out the part of the new that its number
    /// says. The losses of the last step, as means over the members that made one.
    ///
    /// # Errors
    /// As [`Self::pretrain`].
    pub fn fine_tune(
        &mut self,
        new: &[Example],
        before: &[Example],
        steps: usize,
    ) -> Result<Losses, ObjectiveModelError> {
        let count = self.members.len();
        let mut last = Vec::new();
        for (number, member) in self.members.iter_mut().enumerate() {
            let part = |all: &[Example]| -> Vec<usize> {
                let is_learned = |index: &usize| count == 1 || index % count != number;
                (0..all.len()).filter(is_learned).collect()
            };
            let (news, olds) = (part(new), part(before));
            if news.is_empty() {
                continue;
            }
            let size = self.config.batch_size;
            let of_new = match olds.is_empty() {
                true => size.min(news.len()),
                false => size.div_ceil(2).min(news.len()),
            };
            for step in 1..=steps {
                let mut batch = drawn(new, &news, of_new, &mut member.rng);
                if !olds.is_empty() {
                    let rest = size.saturating_sub(of_new).min(olds.len());
                    batch.extend(drawn(before, &olds, rest, &mut member.rng));
                }
                let losses = member.step(&batch, &self.objective, &self.config)?;
                if step == steps {
                    last.push(losses);
                }
            }
        }
        let over = |part: fn(&Losses) -> f64| mean(&last.iter().map(part).collect::<Vec<_>>());
        Ok(Losses {
            error: over(|losses| losses.error),
            failure: over(|losses| losses.failure),
            gap: over(|losses| losses.gap),
            total: over(|losses| losses.total),
        })
    }

    /// What an ascent on the first member makes of each of these crystals.
    ///
    /// # Errors
    /// [`ObjectiveModelError::Network`] for one that does not fit its skeleton.
    pub fn climb(
        &mut self,
        ascent: &Ascent,
        starts: &[Attack<'_>],
    ) -> Result<Vec<Box<[u8]>>, ObjectiveModelError> {
        match self.members.first_mut() {
            Some(member) => member.climb(ascent, &self.objective, starts),
            None => Ok(Vec::new()),
        }
    }

    /// What the members say of each crystal.
    ///
    /// # Errors
    /// [`ObjectiveModelError::Network`] for one that does not fit its skeleton,
    /// [`ObjectiveModelError::Diverged`] where an output is no number.
    pub fn predict(&mut self, crystals: &[Attack<'_>]) -> Result<Vec<Belief>, ObjectiveModelError> {
        let mut beliefs = vec![Belief::default(); crystals.len()];
        for member in 0..self.members.len() {
            for (belief, (value, failure)) in beliefs.iter_mut().zip(self.said(member, crystals)?) {
                belief.values.push(value);
                belief.failures.push(failure);
            }
        }
        Ok(beliefs)
    }

    /// What the member says of each of the last so many of these that leaves it out where they are fine-tuned
    /// on all together; of a single member what that says.
    ///
    /// # Errors
    /// As [`Self::predict`].
    pub fn cross_validated(
        &mut self,
        new: &[Example],
        last: usize,
    ) -> Result<Vec<(f64, f64)>, ObjectiveModelError> {
        let count = self.members.len();
        let first = new.len().saturating_sub(last);
        let mut said = vec![(0.0, 0.0); new.len() - first];
        for member in 0..count {
            let is_left_out = |place: &usize| place % count == member;
            let places: Vec<usize> = (first..new.len()).filter(is_left_out).collect();
            let crystals: Vec<Attack<'_>> = places.iter().map(|&i| attack(&new[i])).collect();
            for (place, one) in places.iter().zip(self.said(member, &crystals)?) {
                said[*place - first] = one;
            }
        }
        Ok(said)
    }

    /// Value and probability of failure of each crystal by one member.
    fn said(
        &mut self,
        member: usize,
        crystals: &[Attack<'_>],
    ) -> Result<Vec<(f64, f64)>, ObjectiveModelError> {
        let scale = self.objective.scale;
        let member = &mut self.members[member];
        let width = member.network.n_outputs();
        let outputs = member.outputs(crystals)?;
        let rows = outputs.chunks_exact(width).map(|row| {
            let value = scale.value(row[0].into());
            let failure = row
                .get(1)
                .map_or(0.0, |s| 1.0 / (1.0 + (-f64::from(*s)).exp()));
            match value.is_finite() && failure.is_finite() {
                true => Ok((value, failure)),
                false => Err(ObjectiveModelError::Diverged {
                    what: "a prediction",
                    found: value,
                }),
            }
        });
        rows.collect()
    }
}

fn value(example: &Example) -> Option<f64> {
    match example.truth {
        Truth::Value(value) => Some(value),
        Truth::Failure => None,
    }
}

/// Mean squared error of the standardised values; `None` if there are none.
fn error_of(
    member: &mut Member,
    examples: &[&Example],
    scale: Scale,
) -> Result<Option<f64>, ObjectiveModelError> {
    let with_value = examples
        .iter()
        .filter_map(|example| Some((*example, value(example)?)));
    let (of, values): (Vec<&Example>, Vec<f64>) = with_value.unzip();
    let crystals: Vec<Attack<'_>> = of.iter().map(|example| attack(example)).collect();
    let outputs = member.outputs(&crystals)?;
    let width = member.network.n_outputs();
    let squares: Vec<f64> = (outputs.chunks_exact(width).zip(&values))
        .map(|(row, value)| (f64::from(row[0]) - (value - scale.mean) / scale.spread).powi(2))
        .collect();
    Ok((!squares.is_empty()).then(|| mean(&squares)))
}

fn shuffled(count: usize, rng: &mut Pcg64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    shuffle(&mut order, rng);
    order
}

/// All orders are as likely (Fisher and Yates).
fn shuffle<T>(list: &mut [T], rng: &mut Pcg64) {
    for last in (1..list.len()).rev() {
        list.swap(last, uniform_below(rng, last + 1));
    }
}

/// So many of the examples with these indices, none twice.
fn drawn<'a>(
    all: &'a [Example],
    among: &[usize],
    count: usize,
    rng: &mut Pcg64,
) -> Vec<&'a Example> {
    let mut left = among.to_vec();
    let picks = (0..count.min(left.len())).map(|_| {
        let place = uniform_below(rng, left.len());
        &all[left.swap_remove(place)]
    });
    picks.collect()
}
