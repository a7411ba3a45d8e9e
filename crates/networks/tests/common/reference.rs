//! MEGNet written a second time, for one graph in f64: every edge by itself, concatenated inputs,
//! no sharing. It has no code in common with the library.

use std::collections::BTreeMap;

use crystalgym_networks::{InputStyle, MegnetConfig, Parameters};

use super::{OwnedState, TestGraph};

/// Tensors by name, in PyTorch's order.
pub type Tensors = BTreeMap<String, Vec<f64>>;

pub fn tensors(parameters: &Parameters) -> Tensors {
    parameters
        .layout()
        .iter()
        .map(|info| {
            let values = info.to_torch_order(parameters.values());
            (
                info.name.clone(),
                values.into_iter().map(f64::from).collect(),
            )
        })
        .collect()
}

fn softplus2(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p() - 2.0_f64.ln()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn linear(t: &Tensors, weight: &str, bias: &str, x: &[f64]) -> Vec<f64> {
    t[bias]
        .iter()
        .zip(t[weight].chunks_exact(x.len()))
        .map(|(b, row)| b + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>())
        .collect()
}

fn mlp(t: &Tensors, name: &str, layers: usize, activate_last: bool, x: &[f64]) -> Vec<f64> {
    let mut x = x.to_vec();
    for i in 0..layers {
        let layer = format!("{name}.layers.{}", 2 * i);
        x = linear(t, &format!("{layer}.weight"), &format!("{layer}.bias"), &x);
        if i + 1 < layers || activate_last {
            x.iter_mut().for_each(|x| *x = softplus2(*x));
        }
    }
    x
}

fn mean<'a>(rows: impl Iterator<Item = &'a Vec<f64>>, width: usize) -> Vec<f64> {
    let mut sum = vec![0.0; width];
    let mut count = 0.0;
    for row in rows {
        sum.iter_mut().zip(row).for_each(|(s, x)| *s += x);
        count += 1.0;
    }
    if count > 0.0 {
        sum.iter_mut().for_each(|s| *s /= count);
    }
    sum
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn set2set(t: &Tensors, name: &str, iterations: usize, items: &[Vec<f64>], n: usize) -> Vec<f64> {
    let mut both = vec![0.0; 2 * n];
    let (mut hidden, mut cell) = (vec![0.0; n], vec![0.0; n]);
    let key = |part: &str| format!("{name}.lstm.{part}_l0");
    for _ in 0..iterations {
        let gates = sum(
            &linear(t, &key("weight_ih"), &key("bias_ih"), &both),
            &linear(t, &key("weight_hh"), &key("bias_hh"), &hidden),
        );
        for j in 0..n {
            let [i, f, o] = [0, 1, 3].map(|gate| sigmoid(gates[gate * n + j]));
            cell[j] = f * cell[j] + i * gates[2 * n + j].tanh();
            hidden[j] = o * cell[j].tanh();
        }
        let weights: Vec<f64> = items
            .iter()
            .map(|x| x.iter().zip(&hidden).map(|(x, h)| x * h).sum::<f64>().exp())
            .collect();
        let total: f64 = weights.iter().sum();
        let mut readout = vec![0.0; n];
        for (x, w) in items.iter().zip(&weights) {
            readout
                .iter_mut()
                .zip(x)
                .for_each(|(r, x)| *r += w / total * x);
        }
        both = [hidden.clone(), readout].concat();
    }
    both
}

/// Outputs for one state.
pub fn forward(
    t: &Tensors,
    config: &MegnetConfig,
    graph: &TestGraph,
    state: &OwnedState,
) -> Vec<f64> {
    let n = config.hidden;
    let published = config.inputs == InputStyle::Published;
    let edges = &graph.graph.edges;
    let mut e: Vec<Vec<f64>> = edges
        .iter()
        .map(|edge| {
            let m = config.gaussian_centres;
            let basis: Vec<f64> = (0..m)
                .map(|i| {
                    let centre = if m == 1 {
                        0.0
                    } else {
                        config.gaussian_last_centre_ang * i as f64 / (m - 1) as f64
                    };
                    (-config.gaussian_width_per_ang2 * (edge.distance - centre).powi(2)).exp()
                })
                .collect();
            mlp(t, "edge_encoder", 2, true, &basis)
        })
        .collect();
    let mut v: Vec<Vec<f64>> = state
        .node_types
        .iter()
        .enumerate()
        .map(|(site, &node_type)| {
            let table = &t["embedding.layer_node_embedding.weight"];
            let mut x = table[usize::from(node_type) * 16..][..16].to_vec();
            if !published {
                x.push(f64::from(u8::from(site == state.focus)));
            }
            mlp(t, "node_encoder", 2, true, &x)
        })
        .collect();
    let (lengths, angles) = (graph.lattice.lengths(), graph.lattice.angles());
    let target = f64::from(state.target as f32);
    let sites = state.node_types.len() as f64;
    let mut x: Vec<f64>;
    if published {
        x = [&lengths[..], &angles, &[target]].concat();
        let table = &t["embedding.layer_state_embedding.weight"];
        x.extend_from_slice(&table[state.focus * 8..][..8]);
    } else {
        x = lengths.iter().map(|l| l / 10.0).collect();
        x.extend(angles.iter().map(|a| a / 90.0 - 1.0));
        x.push(f64::from(graph.space_group_number) / 230.0);
        x.push(graph.lattice.volume() / sites / 20.0);
        x.push(target / config.target_scale);
        let filled = state
            .node_types
            .iter()
            .filter(|&&t| usize::from(t) < config.n_actions);
        x.push(filled.count() as f64 / sites);
    }
    let mut u = mlp(t, "state_encoder", 2, true, &x);

    for k in 0..config.blocks {
        let (saved_e, saved_v, saved_u) = (e.clone(), v.clone(), u.clone());
        if k > 0 {
            let dense =
                |part: &str, x: &Vec<f64>| mlp(t, &format!("blocks.{k}.{part}_func"), 2, true, x);
            e = e.iter().map(|x| dense("edge", x)).collect();
            v = v.iter().map(|x| dense("node", x)).collect();
            u = dense("state", &u);
        }
        let update =
            |part: &str, x: &[f64]| mlp(t, &format!("blocks.{k}.conv.{part}_func"), 3, true, x);
        let new_e: Vec<Vec<f64>> = edges
            .iter()
            .zip(&e)
            .map(|(edge, e)| {
                update(
                    "edge",
                    &[&v[edge.source], &v[edge.target], e, &u]
                        .map(Vec::as_slice)
                        .concat(),
                )
            })
            .collect();
        let new_v: Vec<Vec<f64>> = v
            .iter()
            .enumerate()
            .map(|(site, v)| {
                let incoming = edges
                    .iter()
                    .zip(&new_e)
                    .filter(|(edge, _)| edge.target == site);
                let message = mean(incoming.map(|(_, e)| e), n);
                update("node", &[v, &message, &u].map(Vec::as_slice).concat())
            })
            .collect();
        let means = [mean(new_e.iter(), n), mean(new_v.iter(), n)];
        let new_u = update(
            "state",
            &[&u, &means[0], &means[1]].map(Vec::as_slice).concat(),
        );
        e = new_e.iter().zip(&saved_e).map(|(a, b)| sum(a, b)).collect();
        v = new_v.iter().zip(&saved_v).map(|(a, b)| sum(a, b)).collect();
        u = sum(&new_u, &saved_u);
    }
    let iterations = config.set2set_iterations;
    let nodes = set2set(t, "node_s2s", iterations, &v, n);
    let edges = set2set(t, "edge_s2s", iterations, &e, n);
    mlp(t, "output_proj", 3, false, &[nodes, edges, u].concat())
}
