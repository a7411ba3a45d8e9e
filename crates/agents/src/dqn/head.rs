//! From outputs of the network to action values: plain, dueling, distributional.

use crystalgym_environment::Task;
use crystalgym_networks::Outputs;

use super::{AdvantageMean, DqnConfig};
use crate::Support;

/// What a network's outputs mean: action values, or a value and advantages, each a number or the
/// logits of a distribution of returns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    actions: usize,
    /// Numbers per action.
    width: usize,
    dueling: Option<AdvantageMean>,
    /// The returns of a distribution, if one is learned.
    support: Option<Support>,
}

impl Head {
    pub(crate) fn new(config: &DqnConfig, task: &Task) -> Self {
        let distributional = config.atoms > 1;
        Self {
            actions: task.n_actions(),
            width: config.atoms,
            dueling: config.dueling.then_some(config.dueling_mean),
            support: distributional.then(|| Support::of_rewards(task.objective(), config.atoms)),
        }
    }

    /// Number of actions.
    pub(crate) fn actions(&self) -> usize {
        self.actions
    }

    pub(crate) fn support(&self) -> Option<Support> {
        self.support
    }

    /// The same for the actions of another task.
    pub(crate) fn for_task(self, task: &Task) -> Self {
        Self {
            actions: task.n_actions(),
            ..self
        }
    }

    /// What the network has to return.
    pub(crate) fn outputs(&self) -> Outputs {
        Outputs {
            whole: usize::from(self.dueling.is_some()) * self.width,
            each_action: self.width,
        }
    }

    /// Outputs that the network needs per state.
    pub(crate) fn n_outputs(&self) -> usize {
        self.outputs().total(self.actions)
    }

    /// Numbers per row of [`Self::combine`].
    pub(crate) fn row(&self) -> usize {
        self.actions * self.width
    }

    /// Numbers per action, in a row of [`Self::combine`].
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// `rows × actions × width` out of the network's outputs: those themselves, or
    /// `Q = V + A − mean A`.
    pub(crate) fn combine(&self, outputs: &[f32]) -> Vec<f32> {
        let Some(mean) = self.dueling else {
            return outputs.to_vec();
        };
        let mut combined = Vec::with_capacity(outputs.len());
        for row in outputs.chunks_exact(self.n_outputs()) {
            let (value, advantages) = row.split_at(self.width);
            for advantage in advantages.chunks_exact(self.width) {
                combined.extend(advantage.iter().zip(value).map(|(a, v)| a + v));
            }
        }
        // V + A − mean(A), and mean(A) = mean(V + A) − mean(V).
        let advantages = |row: &[f32]| self.mean_over_actions(&row[self.width..]);
        let means = self.means(mean, outputs.chunks_exact(self.n_outputs()).map(advantages));
        for (row, means) in combined.chunks_exact_mut(self.row()).zip(means) {
            for action in row.chunks_exact_mut(self.width) {
                action.iter_mut().zip(&means).for_each(|(q, m)| *q -= m);
            }
        }
        combined
    }

    /// The gradient with respect to the network's outputs, given that with respect to
    /// [`Self::combine`].
    pub(crate) fn backward(&self, grad: &[f32]) -> Vec<f32> {
        let Some(mean) = self.dueling else {
            return grad.to_vec();
        };
        let rows = grad.chunks_exact(self.row());
        let of_rows: Vec<Vec<f32>> = rows.map(|row| self.mean_over_actions(row)).collect();
        let means = self.means(mean, of_rows.iter().cloned());
        let mut outputs = Vec::with_capacity(of_rows.len() * self.n_outputs());
        for ((row, of_row), mean) in grad.chunks_exact(self.row()).zip(&of_rows).zip(means) {
            outputs.extend(of_row.iter().map(|mean| mean * self.actions as f32));
            for action in row.chunks_exact(self.width) {
                outputs.extend(action.iter().zip(&mean).map(|(grad, mean)| grad - mean));
            }
        }
        outputs
    }

    /// Adds `slope · ∂Q/∂z` for the numbers `z` of one action: 1 of a number, `p_i (z_i − Q)` of the
    /// logits of a distribution over the returns `z_i`.
    pub(crate) fn add_value_gradient(&self, said: &[f32], slope: f64, grad: &mut [f32]) {
        let Some(support) = self.support else {
            grad.iter_mut().for_each(|grad| *grad += slope as f32);
            return;
        };
        let p = softmax(said);
        let mean = support.mean(&p);
        for (atom, (grad, p)) in grad.iter_mut().zip(&p).enumerate() {
            *grad += (slope * p * (support.value(atom) - mean)) as f32;
        }
    }

    /// The mean value of each action, out of rows of [`Self::combine`].
    pub(crate) fn values(&self, combined: &[f32]) -> Vec<f32> {
        let Some(support) = self.support else {
            return combined.to_vec();
        };
        combined
            .chunks_exact(self.width)
            .map(|logits| support.mean(&softmax(logits)) as f32)
            .collect()
    }

    fn mean_over_actions(&self, row: &[f32]) -> Vec<f32> {
        let mut means = vec![0.0; self.width];
        for action in row.chunks_exact(self.width) {
            means.iter_mut().zip(action).for_each(|(m, x)| *m += x);
        }
        means.iter_mut().for_each(|m| *m /= self.actions as f32);
        means
    }

    /// What is subtracted in each row.
    fn means(&self, mean: AdvantageMean, of_rows: impl Iterator<Item = Vec<f32>>) -> Vec<Vec<f32>> {
        let of_rows: Vec<Vec<f32>> = of_rows.collect();
        match mean {
            AdvantageMean::Actions => of_rows,
            AdvantageMean::Batch => {
                let rows = of_rows.len();
                let mut all = vec![0.0; self.width];
                for row in &of_rows {
                    all.iter_mut().zip(row).for_each(|(m, x)| *m += x);
                }
                all.iter_mut().for_each(|m| *m /= rows as f32);
                vec![all; rows]
            }
        }
    }
}

/// `exp(z) / Σ exp(z)` in double precision.
pub(crate) fn softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits
        .iter()
        .map(|logit| f64::from(logit - largest).exp())
        .collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUTS: [f32; 8] = [1.0, 2.0, -1.0, 5.0, -2.0, 0.0, 0.5, 1.0];

    fn head(dueling: Option<AdvantageMean>, width: usize) -> Head {
        Head {
            actions: 3,
            width,
            dueling,
            support: None,
        }
    }

    /// Oracle: V + A − mean A by hand, the mean over a row (2 and 0.5) or over both (1.25).
    #[test]
    fn values_and_advantages_by_hand() {
        let actions = head(Some(AdvantageMean::Actions), 1).combine(&OUTPUTS);
        assert_eq!(actions, [1.0, -2.0, 4.0, -2.5, -2.0, -1.5]);
        let batch = head(Some(AdvantageMean::Batch), 1).combine(&OUTPUTS);
        assert_eq!(batch, [1.75, -1.25, 4.75, -3.25, -2.75, -2.25]);
        assert_eq!(head(None, 1).combine(&OUTPUTS[..6]), OUTPUTS[..6]);
    }

    /// Oracle: central differences of the mean of the distribution; of a plain number, 1.
    #[test]
    fn the_gradient_of_a_value() {
        let distributional = Head {
            support: Some(Support::new(-1.0, 1.0, 5)),
            ..head(None, 5)
        };
        let said = [0.2_f32, -0.4, 0.9, 0.1, -0.3];
        let value = |said: &[f32]| f64::from(distributional.values(said)[0]);
        let mut grad = [0.0; 5];
        distributional.add_value_gradient(&said, 3.0, &mut grad);
        for k in 0..5 {
            let (mut above, mut below) = (said, said);
            above[k] += 1e-2;
            below[k] -= 1e-2;
            let slope = 3.0 * (value(&above) - value(&below)) / 2e-2;
            assert!((f64::from(grad[k]) - slope).abs() < 1e-4, "{k}");
        }
        let mut grad = [1.0];
        head(None, 1).add_value_gradient(&[7.0], -0.5, &mut grad);
        assert_eq!(grad, [0.5]);
    }

    /// Oracle: the head is linear, so its gradient is its transpose: `⟨g, H x⟩ = ⟨Hᵀ g, x⟩`.
    #[test]
    fn the_gradient_is_the_transpose() {
        for mean in [AdvantageMean::Actions, AdvantageMean::Batch] {
            let head = head(Some(mean), 2);
            let x: Vec<f32> = (0..16).map(|i| (i as f32 * 0.7).sin()).collect();
            let g: Vec<f32> = (0..12).map(|i| (i as f32 * 1.3).cos()).collect();
            let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
            let (there, back) = (dot(&g, &head.combine(&x)), dot(&head.backward(&g), &x));
            assert!((there - back).abs() < 1e-5, "{there} {back}");
        }
    }
}
