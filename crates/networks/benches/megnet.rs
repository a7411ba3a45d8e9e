//! Times of the network: one state, a batch, an update.
//!
//! `cargo bench -p crystalgym-networks --bench megnet` prints a table.
//! `compare_pytorch.py` runs the same cases in turn here and in PyTorch: with `--serve` this
//! program prints the cases as one line of JSON, then answers each request, a line of JSON,
//! with one line of (wall, CPU) seconds.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark reports on standard output and may stop at once"
)]

use std::{
    io::{BufRead, Write, stdin, stdout},
    sync::Arc,
    time::Instant,
};

use crystalgym_crystal::{CrystalGraph, DirectedEdge, Lattice};
use crystalgym_environment::Observation;
use crystalgym_networks::{Adam, AdamConfig, GraphNetwork, GraphTemplate, Megnet, MegnetConfig};
use nix::time::{ClockId, clock_gettime};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use serde_json::{Value, json};

const BATCH: usize = 64;

/// One graph to time on.
struct Graph {
    name: &'static str,
    lattice: Lattice,
    graph: CrystalGraph,
}

/// Five sites and 60 bonds of different length: nothing to merge, the size of the measurements
/// that the design started from.
fn sixty_bonds() -> Graph {
    let edges = (0..60)
        .map(|i| DirectedEdge {
            source: i % 5,
            target: (i / 5 + i) % 5,
            image: [0; 3],
            distance: 2.0 + 0.04 * i as f64,
        })
        .collect();
    Graph {
        name: "60 different bonds",
        lattice: Lattice::from_parameters([4.3; 3], [90.0; 3]).unwrap(),
        graph: CrystalGraph { sites: 5, edges },
    }
}

/// The net of a perovskite, 36 directed bonds of which 12 differ.
fn perovskite() -> Graph {
    let mut edges = Vec::new();
    for x in 2..5 {
        for (site, count, distance) in [(0, 4, 3.0227), (1, 2, 2.1374)] {
            for (source, target) in [(site, x), (x, site)] {
                let edge = DirectedEdge {
                    source,
                    target,
                    image: [0; 3],
                    distance,
                };
                edges.extend(vec![edge; count]);
            }
        }
    }
    Graph {
        name: "perovskite, 36 bonds",
        lattice: Lattice::from_parameters([4.2748; 3], [90.0; 3]).unwrap(),
        graph: CrystalGraph { sites: 5, edges },
    }
}

struct State {
    node_types: Vec<u8>,
    focus: usize,
}

fn states(sites: usize) -> Vec<State> {
    (0..BATCH)
        .map(|i| State {
            node_types: (0..sites)
                .map(|site| {
                    if site < i % sites {
                        ((i * 7 + site * 5) % 18) as u8
                    } else {
                        18
                    }
                })
                .collect(),
            focus: i % sites,
        })
        .collect()
}

struct Setup {
    graph: Graph,
    states: Vec<State>,
    network: Megnet,
}

impl Setup {
    fn new(graph: Graph) -> Self {
        let config = MegnetConfig::corrected(18, 18);
        let template =
            GraphTemplate::from_graph(graph.name, &graph.lattice, 221, &graph.graph, &config);
        let templates: Arc<[GraphTemplate]> = Arc::from(vec![template]);
        let network = Megnet::new(config, templates, &mut Pcg64::seed_from_u64(1)).unwrap();
        Self {
            states: states(graph.graph.sites),
            graph,
            network,
        }
    }

    fn json(&self) -> Value {
        let edges: Vec<Value> = self
            .graph
            .graph
            .edges
            .iter()
            .map(|edge| json!([edge.source, edge.target, edge.distance]))
            .collect();
        let states: Vec<Value> = self
            .states
            .iter()
            .map(|state| {
                json!({
                    "skeleton": 0,
                    "node_types": state.node_types,
                    "focus": state.focus,
                    "target": 3.0,
                })
            })
            .collect();
        json!({
            "name": self.graph.name,
            "config": self.network.config(),
            "graphs": [{
                "lengths": self.graph.lattice.lengths(),
                "angles": self.graph.lattice.angles(),
                "volume": self.graph.lattice.volume(),
                "space_group_number": 221,
                "edges": edges,
            }],
            "states": states,
        })
    }

    /// Wall and CPU seconds of each repeat.
    fn run(&self, case: &str, threads: usize, repeats: usize) -> Vec<(f64, f64)> {
        let views: Vec<Observation<'_>> = self
            .states
            .iter()
            .map(|state| Observation {
                skeleton: 0,
                node_types: &state.node_types,
                elements: &[],
                focus: state.focus,
                traversal: None,
                step: 0,
                steps: state.node_types.len(),
                target: 3.0,
                allowed: &[],
            })
            .collect();
        let mut network = self.network.clone();
        let mut workspace = network.workspace(threads).unwrap();
        let mut gradients = network.parameters().zeros_like();
        let mut adam = Adam::new(AdamConfig::default(), network.parameters());
        let mut errors = vec![0.0; BATCH * network.n_outputs()];
        let mut step = || match case {
            "forward 1" => {
                network.forward(&views[..1], &mut workspace).unwrap();
            }
            "forward 64" => {
                network.forward(&views, &mut workspace).unwrap();
            }
            _ => {
                // The loss is the mean square of the outputs' distance from one.
                let outputs = network.forward(&views, &mut workspace).unwrap();
                let scale = 2.0 / outputs.len() as f32;
                for (error, x) in errors.iter_mut().zip(outputs) {
                    *error = scale * (x - 1.0);
                }
                gradients.clear();
                network
                    .backward(&errors, &mut workspace, &mut gradients)
                    .unwrap();
                adam.step(2.5e-4, &gradients, network.parameters_mut())
                    .unwrap();
            }
        };
        step();
        (0..repeats)
            .map(|_| {
                let (start, cpu_start) = (Instant::now(), cpu_seconds());
                step();
                (start.elapsed().as_secs_f64(), cpu_seconds() - cpu_start)
            })
            .collect()
    }
}

/// CPU time of this process, which other load on the machine does not add to.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap();
    time.tv_sec() as f64 + 1e-9 * time.tv_nsec() as f64
}

const CASES: [&str; 3] = ["forward 1", "forward 64", "update 64"];

fn serve(setups: &[Setup]) {
    let cases: Vec<Value> = setups.iter().map(Setup::json).collect();
    println!("{}", Value::from(cases));
    for line in stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let number = |key: &str| request[key].as_u64().unwrap() as usize;
        let case = request["case"].as_str().unwrap();
        let seconds = setups[number("graph")].run(case, number("threads"), number("repeats"));
        println!("{}", json!(seconds));
        stdout().flush().unwrap();
    }
}

fn main() {
    let setups = [Setup::new(sixty_bonds()), Setup::new(perovskite())];
    if std::env::args().any(|argument| argument == "--serve") {
        serve(&setups);
        return;
    }
    println!(
        "{:22} {:12} {:>9} {:>9}   ms, median",
        "", "", "1 thread", "2 threads"
    );
    for setup in &setups {
        for case in CASES {
            let repeats = if case == "forward 1" { 2000 } else { 200 };
            let medians = [1, 2].map(|threads| {
                let times = setup.run(case, threads, repeats);
                let mut seconds: Vec<f64> = times.into_iter().map(|(wall, _)| wall).collect();
                seconds.sort_by(f64::total_cmp);
                1e3 * seconds[seconds.len() / 2]
            });
            let [one, two] = medians;
            println!("{:22} {case:12} {one:9.3} {two:9.3}", setup.graph.name);
        }
    }
}
