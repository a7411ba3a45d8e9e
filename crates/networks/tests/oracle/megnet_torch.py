"""MEGNet in PyTorch as matgl and DGL define it, on index tensors instead of DGL graphs.

An independent implementation to check and time the crate against: every directed bond is a row of
its own, every first layer reads concatenated inputs, gradients come from autograd. Parameter names
are matgl's.
"""

import json
import math
import struct

import torch
from torch import nn
from torch.nn import functional


def softplus2(x):
    return functional.softplus(x) - math.log(2.0)


class MLP(nn.Module):
    def __init__(self, widths, activate_last):
        super().__init__()
        layers = []
        for i in range(len(widths) - 1):
            layers.append(nn.Linear(widths[i], widths[i + 1]))
            layers.append(nn.Identity())
        self.layers = nn.ModuleList(layers)
        self.activate_last = activate_last

    def forward(self, x):
        count = len(self.layers) // 2
        for i in range(count):
            x = self.layers[2 * i](x)
            if i + 1 < count or self.activate_last:
                x = softplus2(x)
        return x


def mean_by(x, index, count, size):
    """Mean of the rows of x that share an index; zero where there is none."""
    total = x.new_zeros(size, x.shape[1]).index_add(0, index, x)
    return total / count.clamp(min=1.0).unsqueeze(1)


class Convolution(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        wide = 2 * hidden
        self.edge_func = MLP([4 * hidden, wide, wide, hidden], True)
        self.node_func = MLP([3 * hidden, wide, wide, hidden], True)
        self.state_func = MLP([3 * hidden, wide, wide, hidden], True)


class Block(nn.Module):
    def __init__(self, hidden, dense):
        super().__init__()
        if dense:
            self.edge_func = MLP([hidden, 2 * hidden, hidden], True)
            self.node_func = MLP([hidden, 2 * hidden, hidden], True)
            self.state_func = MLP([hidden, 2 * hidden, hidden], True)
        self.dense = dense
        self.conv = Convolution(hidden)

    def forward(self, batch, e, v, u):
        saved = e, v, u
        if self.dense:
            e, v, u = self.edge_func(e), self.node_func(v), self.state_func(u)
        conv = self.conv
        source, target = batch["source"], batch["target"]
        e = conv.edge_func(torch.cat([v[source], v[target], e, u[batch["edge_graph"]]], 1))
        message = mean_by(e, target, batch["in_degree"], len(v))
        v = conv.node_func(torch.cat([v, message, u[batch["node_graph"]]], 1))
        edge_mean = mean_by(e, batch["edge_graph"], batch["edge_count"], len(u))
        node_mean = mean_by(v, batch["node_graph"], batch["node_count"], len(u))
        u = conv.state_func(torch.cat([u, edge_mean, node_mean], 1))
        return e + saved[0], v + saved[1], u + saved[2]


class Set2Set(nn.Module):
    def __init__(self, width, iterations):
        super().__init__()
        self.lstm = nn.LSTM(2 * width, width, 1)
        self.width = width
        self.iterations = iterations

    def forward(self, x, index, graphs):
        both = x.new_zeros(graphs, 2 * self.width)
        state = x.new_zeros(1, graphs, self.width), x.new_zeros(1, graphs, self.width)
        for _ in range(self.iterations):
            query, state = self.lstm(both.unsqueeze(0), state)
            query = query.squeeze(0)
            logit = (x * query[index]).sum(1)
            with torch.no_grad():
                largest = logit.new_full((graphs,), -math.inf)
                largest = largest.scatter_reduce(0, index, logit, "amax")
            weight = torch.exp(logit - largest[index])
            total = weight.new_zeros(graphs).index_add(0, index, weight)
            attention = weight / total[index]
            readout = x.new_zeros(graphs, self.width)
            readout = readout.index_add(0, index, attention.unsqueeze(1) * x)
            both = torch.cat([query, readout], 1)
        return both


class Embedding(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.layer_node_embedding = nn.Embedding(config["n_actions"] + 1, 16)
        if config["inputs"] == "published":
            self.layer_state_embedding = nn.Embedding(config["n_actions"], 8)


class Megnet(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden = config["hidden"]
        wide = 2 * hidden
        self.config = config
        self.published = config["inputs"] == "published"
        self.embedding = Embedding(config)
        self.edge_encoder = MLP([config["gaussian_centres"], wide, hidden], True)
        self.node_encoder = MLP([16 if self.published else 17, wide, hidden], True)
        self.state_encoder = MLP([15 if self.published else 10, wide, hidden], True)
        self.blocks = nn.ModuleList([Block(hidden, k > 0) for k in range(config["blocks"])])
        self.edge_s2s = Set2Set(hidden, config["set2set_iterations"])
        self.node_s2s = Set2Set(hidden, config["set2set_iterations"])
        widths = [5 * hidden, hidden, hidden // 2, config["n_outputs"]]
        self.output_proj = MLP(widths, False)

    def forward(self, batch):
        nodes = self.embedding.layer_node_embedding(batch["node_type"])
        state = batch["state"]
        if self.published:
            focus = self.embedding.layer_state_embedding(batch["focus"])
            state = torch.cat([state, focus], 1)
        else:
            nodes = torch.cat([nodes, batch["focus_flag"]], 1)
        e = self.edge_encoder(batch["basis"])
        v = self.node_encoder(nodes)
        u = self.state_encoder(state)
        for block in self.blocks:
            e, v, u = block(batch, e, v, u)
        edges = self.edge_s2s(e, batch["edge_graph"], len(u))
        nodes = self.node_s2s(v, batch["node_graph"], len(u))
        return self.output_proj(torch.cat([nodes, edges, u], 1))


def make_batch(config, graphs, states, dtype):
    """Index and input tensors of a list of states, in the layout of the case files."""
    published = config["inputs"] == "published"
    centres = torch.linspace(0.0, config["gaussian_last_centre_ang"], config["gaussian_centres"],
                             dtype=torch.float64)
    lists = {name: [] for name in ["source", "target", "edge_graph", "distance", "node_graph",
                                   "node_type", "focus", "focus_flag", "state"]}
    for number, state in enumerate(states):
        graph = graphs[state["skeleton"]]
        sites = len(state["node_types"])
        first = len(lists["node_type"])
        for source, target, distance in graph["edges"]:
            lists["source"].append(first + source)
            lists["target"].append(first + target)
            lists["distance"].append(distance)
            lists["edge_graph"].append(number)
        lists["node_type"] += state["node_types"]
        lists["node_graph"] += [number] * sites
        lists["focus"].append(state["focus"])
        lists["focus_flag"] += [[float(i == state["focus"])] for i in range(sites)]
        lengths, angles, target = graph["lengths"], graph["angles"], state["target"]
        if published:
            lists["state"].append(lengths + angles + [target])
        else:
            filled = sum(t < config["n_actions"] for t in state["node_types"])
            lists["state"].append(
                [x / 10.0 for x in lengths] + [x / 90.0 - 1.0 for x in angles]
                + [graph["space_group_number"] / 230.0, graph["volume"] / sites / 20.0,
                   target / config["target_scale"], filled / sites])
    integers = ["source", "target", "edge_graph", "node_graph", "node_type", "focus"]
    batch = {name: torch.tensor(lists[name], dtype=torch.long) for name in integers}
    batch["focus_flag"] = torch.tensor(lists["focus_flag"], dtype=dtype)
    batch["state"] = torch.tensor(lists["state"], dtype=dtype)
    distance = torch.tensor(lists["distance"], dtype=torch.float64).unsqueeze(1)
    width = config["gaussian_width_per_ang2"]
    batch["basis"] = torch.exp(-width * (distance - centres) ** 2).to(dtype)
    count = lambda index, size: torch.bincount(batch[index], minlength=size).to(dtype)
    batch["in_degree"] = count("target", len(lists["node_type"]))
    batch["edge_count"] = count("edge_graph", len(states))
    batch["node_count"] = count("node_graph", len(states))
    return batch


def load_safetensors(path, dtype):
    """The tensors of a safetensors file of f32 numbers."""
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = bytearray(file.read())
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", name
        start, end = entry["data_offsets"]
        values = torch.frombuffer(data[start:end], dtype=torch.float32)
        tensors[name] = values.reshape(entry["shape"]).to(dtype)
    return tensors
