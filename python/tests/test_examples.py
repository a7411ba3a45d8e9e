"""The examples run, and their types and those of the package are right."""

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


def test_types_of_package_and_examples(examples_folder: Path, tmp_path: Path) -> None:
    """Oracle: mypy in its strict mode."""
    files = sorted(map(str, examples_folder.glob("*.py")))
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [*command, "-p", "crystalgym"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_stub_is_what_the_extension_module_holds(tmp_path: Path) -> None:
    """Oracle: mypy's comparison of a stub with the module at run time."""
    command = [sys.executable, "-m", "mypy.stubtest", "crystalgym._crystalgym"]
    allowed = tmp_path / "allowed"
    # PyO3 lists every name there; the stub is the list.
    allowed.write_text(r"crystalgym\._crystalgym\.__all__")
    done = subprocess.run(
        [*command, "--allowlist", str(allowed), "--ignore-unused-allowlist"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stdout
