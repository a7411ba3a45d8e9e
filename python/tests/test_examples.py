"""The examples and the notebook run; they are numbered in the order in which they are to be read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = {
    "01_random_agent.py": ["--episodes", "20"],
    "03_custom_calculator.py": ["--episodes", "10"],
    "04_search.py": [],
    "05_stable_baselines.py": ["--steps", "1024"],
    "06_dqn.py": ["--total-steps", "1000"],
    "07_read_run.py": [],
}
NOTEBOOK = "08_tutorial.ipynb"


def test_every_example_is_run(examples_folder: Path) -> None:
    assert {path.name for path in examples_folder.glob("*.py")} == set(EXAMPLES)
    numbers = [int(re.match(r"(\d\d)_", path.name)[1]) for path in examples_folder.glob("*.*")]  # type: ignore[index]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, examples_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(examples_folder / name), *EXAMPLES[name]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_notebook_runs(
    examples_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cell after cell as a kernel does; what stands last in a cell can be shown."""
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((examples_folder / NOTEBOOK).read_text(encoding="utf-8"))
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = 0
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == [], "outputs are not kept in the repository"
        lines = "".join(cell["source"]).rsplit("\n", 1)
        try:
            last = compile(lines[-1], f"cell {number}", "eval")
        except SyntaxError:
            exec(compile("\n".join(lines), f"cell {number}", "exec"), names)
            continue
        exec(compile("\n".join(lines[:-1]), f"cell {number}", "exec"), names)
        result = eval(last, names)
        if hasattr(result, "_repr_html_"):
            assert "<" in result._repr_html_()
            shown += 1
    assert shown >= 5
