"""The examples run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = {
    "random_agent.py": ["--episodes", "20"],
    "custom_calculator.py": ["--episodes", "10"],
    "dqn.py": ["--total-steps", "1000"],
    "read_run.py": [],
    "stable_baselines.py": ["--steps", "1024"],
}


def test_every_example_is_run(examples_folder: Path) -> None:
    assert {path.name for path in examples_folder.glob("*.py")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, examples_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(examples_folder / name), *EXAMPLES[name]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout

