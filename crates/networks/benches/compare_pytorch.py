"""The network's times beside PyTorch's, case by case in turn, so that a busy machine hits both.

usage: python compare_pytorch.py [--rounds N] [--threads 1 2]

Builds and starts the benchmark `megnet` of this crate; needs cargo and PyTorch. Both sides run the
same network on the same states in f32. PyTorch's index tensors are made before the clock starts;
this crate's are made inside it. PyTorch's Adam is the fused one.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "oracle"))

from megnet_torch import Megnet, make_batch  # noqa: E402

CASES = ["forward 1", "forward 64", "update 64"]


class Crate:
    """The benchmark program, answering requests."""

    def __init__(self):
        build = ["cargo", "bench", "-q", "-p", "crystalgym-networks", "--bench", "megnet"]
        self.process = subprocess.Popen(build + ["--", "--serve"], cwd=HERE, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.graphs = json.loads(self.process.stdout.readline())

    def seconds(self, graph, case, threads, repeats):
        request = {"graph": graph, "case": case, "threads": threads, "repeats": repeats}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


class Torch:
    """The same cases in PyTorch."""

    def __init__(self, graphs):
        self.models = [Megnet(graph["config"]) for graph in graphs]
        self.batches = [
            {
                count: make_batch(graph["config"], graph["graphs"], graph["states"][:count],
                                  torch.float32)
                for count in (1, 64)
            }
            for graph in graphs
        ]
        self.optimisers = [torch.optim.Adam(model.parameters(), lr=2.5e-4, fused=True)
                           for model in self.models]

    def seconds(self, graph, case, threads, repeats):
        torch.set_num_threads(threads)
        model, optimiser = self.models[graph], self.optimisers[graph]
        batch = self.batches[graph][1 if case == "forward 1" else 64]

        def step():
            if case == "update 64":
                loss = ((model(batch) - 1.0) ** 2).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            else:
                with torch.inference_mode():
                    model(batch)

        step()
        times = []
        for _ in range(repeats):
            start, cpu_start = time.perf_counter(), time.process_time()
            step()
            times.append((time.perf_counter() - start, time.process_time() - cpu_start))
        return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    crate = Crate()
    sides = {"crate": crate, "PyTorch": Torch(crate.graphs)}
    times = {}
    for _ in range(arguments.rounds):
        for graph in range(len(crate.graphs)):
            for threads in arguments.threads:
                for case in CASES:
                    for name, side in sides.items():
                        repeats = 20 if case == "forward 1" else 6
                        key = graph, threads, case, name
                        seconds = side.seconds(graph, case, threads, repeats)
                        times.setdefault(key, []).extend(seconds)
    print(f"PyTorch {torch.__version__}; medians in ms, all cases in turn in one run; CPU time is")
    print("that of all threads, which other load on the machine does not add to")
    print(f"{'':41} {'-' * 12} wall {'-' * 12} {'-' * 12} CPU {'-' * 12}")
    print(f"{'graph':22} {'threads':>7} {'case':10}" + 2 * f" {'crate':>9} {'PyTorch':>9} {'ratio':>8}")
    for graph, description in enumerate(crate.graphs):
        for threads in arguments.threads:
            for case in CASES:
                line = f"{description['name']:22} {threads:7} {case:10}"
                for clock in (0, 1):
                    ours, theirs = (
                        1e3 * statistics.median(pair[clock]
                                                for pair in times[graph, threads, case, name])
                        for name in sides)
                    line += f" {ours:9.3f} {theirs:9.3f} {theirs / ours:8.1f}"
                print(line)


main()
