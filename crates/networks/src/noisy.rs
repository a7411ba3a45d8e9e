//! Noisy layers for exploration.

use std::sync::Arc;

use crystalgym_crystal::Skeleton;
use crystalgym_environment::Observation;
use rand_pcg::Pcg64;

use crate::{
    Gradients, GraphNetwork, NetworkError, ParameterInfo, Parameters, parameters::Initial, random,
};

/// A network some of whose affine layers are noisy: `y = (μ_w + σ_w ∘ ε_w) x + μ_b + σ_b ∘ ε_b` with
/// trainable μ and σ (Fortunato et al. 2018, equation 9).
///
/// The noise is factorised, `ε_w = f(ε_out) f(ε_in)ᵀ`, `ε_b = f(ε_out)` with `f(x) = sgn(x) √|x|`, and σ
/// starts at `σ₀/√inputs` (section 3.2). Without noisy layers this is the network itself.
///
/// Whoever changes [`parameters_mut`](GraphNetwork::parameters_mut) calls [`Self::resample`] or
/// [`Self::remove_noise`] before the next forward pass.
#[derive(Debug, Clone)]
pub struct Noisy<N> {
    /// Computes with the parameters as they are with the present noise.
    network: N,
    /// μ of every tensor, then σ of the noisy ones.
    parameters: Parameters,
    layers: Vec<NoisyLayer>,
}

/// A noisy layer; places in the flat vector of all parameters.
#[derive(Debug, Clone)]
struct NoisyLayer {
    weight: usize,
    bias: usize,
    weight_sigma: usize,
    bias_sigma: usize,
    /// `f(ε)` of the inputs and outputs.
    noise_in: Vec<f32>,
    noise_out: Vec<f32>,
}

impl<N: GraphNetwork> Noisy<N> {
    /// The network without noise.
    pub fn silent(network: N) -> Self {
        Self {
            parameters: network.parameters().clone(),
            network,
            layers: Vec::new(),
        }
    }

    /// The network with noise in its last affine layers ([`GraphNetwork::last_layers`]); σ starts at
    /// `sigma/√inputs`.
    pub fn new(network: N, sigma: f64) -> Self {
        let prefix = network.last_layers();
        let layout = network.parameters().layout();
        let mut entries = layout.to_vec();
        let mut next: usize = network.parameters().len();
        let mut values = network.parameters().values().to_vec();
        let mut layers = Vec::new();
        for pair in layout.windows(2) {
            let [weight, bias] = pair else { continue };
            let is_layer = weight.name.starts_with(prefix) && weight.name.ends_with(".weight");
            if !is_layer || weight.shape.len() != 2 {
                continue;
            }
            let (outputs, inputs) = (weight.shape[0], weight.shape[1]);
            let start = (sigma / (inputs as f64).sqrt()) as f32;
            let mut add = |info: &ParameterInfo| {
                let offset = next;
                entries.push(ParameterInfo {
                    name: format!("{}_sigma", info.name),
                    offset,
                    initial: Initial::Uniform(start),
                    ..info.clone()
                });
                next += info.len();
                values.resize(next, start);
                offset
            };
            layers.push(NoisyLayer {
                weight: weight.offset,
                bias: bias.offset,
                weight_sigma: add(weight),
                bias_sigma: add(bias),
                noise_in: vec![0.0; inputs],
                noise_out: vec![0.0; outputs],
            });
        }
        let parameters = Parameters::from_values(Arc::from(entries), &values);
        Self {
            network,
            parameters,
            layers,
        }
    }

    /// Draws new noise.
    pub fn resample(&mut self, rng: &mut Pcg64) {
        for layer in &mut self.layers {
            for noise in [&mut layer.noise_in, &mut layer.noise_out] {
                for pair in noise.chunks_mut(2) {
                    let normal = random::normal_pair(rng).map(|x| x.signum() * x.abs().sqrt());
                    pair.copy_from_slice(&normal[..pair.len()]);
                }
            }
        }
        self.apply();
    }

    /// Sets the noise to zero.
    pub fn remove_noise(&mut self) {
        for layer in &mut self.layers {
            layer.noise_in.fill(0.0);
            layer.noise_out.fill(0.0);
        }
        self.apply();
    }

    /// The network as it is with the present noise.
    pub fn network(&self) -> &N {
        &self.network
    }

    fn apply(&mut self) {
        let all = self.parameters.values();
        let effective = self.network.parameters_mut().values_mut();
        effective.copy_from_slice(&all[..effective.len()]);
        for layer in &self.layers {
            layer.for_each(|at, sigma, noise| effective[at] += all[sigma] * noise);
        }
    }
}

impl NoisyLayer {
    /// Calls `f(place of μ, place of σ, ε)` for every weight and bias.
    fn for_each(&self, mut f: impl FnMut(usize, usize, f32)) {
        let outputs = self.noise_out.len();
        for (i, noise_in) in self.noise_in.iter().enumerate() {
            for (o, noise_out) in self.noise_out.iter().enumerate() {
                // The flat vector has one row an input.
                let place = i * outputs + o;
                f(
                    self.weight + place,
                    self.weight_sigma + place,
                    noise_in * noise_out,
                );
            }
        }
        for (o, noise_out) in self.noise_out.iter().enumerate() {
            f(self.bias + o, self.bias_sigma + o, *noise_out);
        }
    }
}

impl<N: GraphNetwork> GraphNetwork for Noisy<N> {
    type Workspace = N::Workspace;

    fn workspace(&self, threads: usize) -> Result<Self::Workspace, NetworkError> {
        self.network.workspace(threads)
    }

    fn for_skeletons(&self, skeletons: &[Arc<Skeleton>]) -> Result<Self, NetworkError> {
        Ok(Self {
            network: self.network.for_skeletons(skeletons)?,
            ..self.clone()
        })
    }

    fn last_layers(&self) -> &'static str {
        self.network.last_layers()
    }

    fn features_per_state(&self) -> usize {
        self.network.features_per_state()
    }

    fn n_outputs(&self) -> usize {
        self.network.n_outputs()
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    fn forward<'w>(
        &self,
        seen: &[Observation<'_>],
        workspace: &'w mut Self::Workspace,
    ) -> Result<&'w [f32], NetworkError> {
        self.network.forward(seen, workspace)
    }

    fn backward(
        &self,
        grad_outputs: &[f32],
        workspace: &mut Self::Workspace,
        gradients: &mut Gradients,
    ) -> Result<(), NetworkError> {
        if gradients.values().len() != self.parameters.len() {
            return Err(NetworkError::Length {
                what: "gradient",
                found: gradients.values().len(),
                expected: self.parameters.len(),
            });
        }
        let mut inner = self.network.parameters().zeros_like();
        self.network.backward(grad_outputs, workspace, &mut inner)?;
        let (inner, all) = (inner.values(), gradients.values_mut());
        for (sum, gradient) in all.iter_mut().zip(inner) {
            *sum += gradient;
        }
        for layer in &self.layers {
            layer.for_each(|at, sigma, noise| all[sigma] += inner[at] * noise);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crystalgym_crystal::Skeleton;
    use rand::SeedableRng;

    use super::*;
    use crate::{GraphTemplate, Megnet, MegnetConfig};

    fn network(sigma: f64) -> Noisy<Megnet> {
        let config = MegnetConfig {
            hidden: 8,
            blocks: 1,
            ..MegnetConfig::corrected(6, 3)
        };
        let skeleton = Skeleton::builtin("C2").unwrap();
        let templates = [GraphTemplate::new(&skeleton, &config)].into();
        let inner = Megnet::new(config, templates, &mut Pcg64::seed_from_u64(1)).unwrap();
        Noisy::new(inner, sigma)
    }

    const STATE: Observation<'_> = Observation {
        skeleton: 0,
        node_types: &[1, 6, 2, 6, 6],
        elements: &[],
        focus: 1,
        traversal: None,
        step: 2,
        steps: 5,
        target: 3.0,
        allowed: &[],
    };

    fn outputs(network: &Noisy<Megnet>) -> Vec<f32> {
        let mut workspace = network.workspace(1).unwrap();
        network.forward(&[STATE], &mut workspace).unwrap().to_vec()
    }

    /// Oracle: central differences in every σ and some μ of one noise sample.
    #[test]
    fn gradients_are_those_of_finite_differences() {
        let mut network = network(0.5);
        network.resample(&mut Pcg64::seed_from_u64(4));
        let weights = [0.3_f32, -1.0, 0.7];
        let mut workspace = network.workspace(1).unwrap();
        network.forward(&[STATE], &mut workspace).unwrap();
        let mut gradients = network.parameters().zeros_like();
        network
            .backward(&weights, &mut workspace, &mut gradients)
            .unwrap();
        let plain = network.network().parameters().len();
        let all = network.parameters().len();
        assert_eq!(all - plain, 40 * 8 + 8 + 8 * 4 + 4 + 4 * 3 + 3);
        let loss = |network: &Noisy<Megnet>| -> f64 {
            let outputs = outputs(network);
            let terms = outputs.iter().zip(weights);
            terms.map(|(y, w)| f64::from(*y) * f64::from(w)).sum()
        };
        let h = 4e-3_f32;
        for place in (plain..all).chain(plain - 60..plain) {
            let mut slope = 0.0;
            for sign in [1.0, -1.0] {
                let mut moved = network.clone();
                moved.parameters_mut().values_mut()[place] += sign * h;
                moved.apply();
                slope += f64::from(sign) * loss(&moved) / f64::from(2.0 * h);
            }
            let found = f64::from(gradients.values()[place]);
            assert!((slope - found).abs() < 2e-3, "{place}: {found}, {slope}");
        }
    }

    #[test]
    fn noise_changes_the_answer_and_goes_away() {
        let mut noisy = network(0.5);
        let mean = outputs(&noisy);
        let mut rng = Pcg64::seed_from_u64(4);
        noisy.resample(&mut rng);
        let first = outputs(&noisy);
        noisy.resample(&mut rng);
        assert!(first != mean && outputs(&noisy) != first);
        noisy.remove_noise();
        assert_eq!(outputs(&noisy), mean);
        let mut plain = Noisy::silent(noisy.network().clone());
        plain.resample(&mut rng);
        assert_eq!(outputs(&plain), mean);
    }

    /// Closed form: σ starts at σ₀/√inputs; a product of two independent `f(x)` has mean 0 and
    /// variance `E|x|² = 2/π`.
    #[test]
    fn the_noise_has_its_moments() {
        let mut network = network(0.4);
        let mut rng = Pcg64::seed_from_u64(9);
        let (mut sum, mut squares, n) = (0.0, 0.0, 4000);
        for _ in 0..n {
            network.resample(&mut rng);
            let layer = &network.layers[0];
            let noise = f64::from(layer.noise_in[3] * layer.noise_out[5]);
            sum += noise;
            squares += noise * noise;
        }
        let (mean, variance) = (sum / f64::from(n), squares / f64::from(n));
        let expected = 2.0 / std::f64::consts::PI;
        assert!(mean.abs() < 5.0 * (expected / f64::from(n)).sqrt());
        // E x⁴ of each factor's square is 1.
        assert!(
            (variance - expected).abs() < 5.0 * ((1.0 - expected.powi(2)) / f64::from(n)).sqrt()
        );
        let sigma = network
            .parameters()
            .tensor("output_proj.layers.0.weight_sigma");
        assert_eq!(sigma.unwrap()[7], (0.4 / 40.0_f64.sqrt()) as f32);
    }
}
