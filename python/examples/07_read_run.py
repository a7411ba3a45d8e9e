"""Reading a run: its episodes as a table, its best crystals, and its agent at work.

Without a folder, a short run is trained first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import crystalgym as cg
from crystalgym import agents


def train(folder: Path) -> None:
    command = [sys.executable, "-m", "crystalgym", "train", "--task", "density-C6-easy-small"]
    short = ["--set", "dqn.total_steps=800", "--set", "output.checkpoint_every=400"]
    short += ["--set", "calculator.name=rigid"]
    subprocess.run([*command, *short, "--output", str(folder)], check=True, capture_output=True)


def report(folder: Path) -> None:
    episodes = cg.read_episodes(folder / "episodes.csv").to_pandas()
    print(f"{len(episodes)} episodes, {episodes['elements'].nunique()} different fillings")
    by_quarter = episodes.groupby(4 * episodes.index // len(episodes))["episodic_return"].mean()
    print("mean return by quarter:", ", ".join(f"{mean:.3f}" for mean in by_quarter))

    for path in sorted((folder / "best").glob("*.cif"))[:3]:
        print(path.name, f"{cg.Structure.from_file(path).density:.4f} g/cm³")

    agent = agents.load(folder)
    env = cg.CrystalEnv(agent.task, calculator="rigid")
    observation, info = env.reset(seed=1)
    terminated, reward = False, 0.0
    while not terminated:
        observation, reward, terminated, _, info = env.step(int(agent.act(observation, info)))
    print(f"{agent}: {info['formula']}, reward {reward:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    folder = parser.parse_args().folder
    if folder is not None:
        report(folder)
        return
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "run"
        train(folder)
        report(folder)


if __name__ == "__main__":
    main()
