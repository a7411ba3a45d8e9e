"""Every code that the guide lists can be met, and says what the guide says that it says."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

import crystalgym as cg
from crystalgym import agents, errors, metrics

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/python.md").read_text(encoding="utf-8")
SALT = cg.Structure(np.eye(3) * 4.0, ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def rows(header: str) -> list[list[str]]:
    """Cells of the table of the guide with this first line."""
    lines = GUIDE[GUIDE.index(header) :].split("\n")[2:]
    table = lines[: next(i for i, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


CODES = {
    (row[0].strip("`"), row[1].strip("`")): row[3].rstrip("| ") if len(row) > 3 else ""
    for row in rows("| class | code | when | `values` |")
}

# What cannot be met by what the package takes, and why.
NOT_PROVOKED = {
    ("StructureError", "no_sites"): "Structure refuses an empty structure first",
    ("StructureError", "too_many_fillings"): "tables are built by the command line",
    ("DftError", "no_atoms"): "Structure refuses an empty structure first",
    ("DftError", "atoms_too_close"): "Structure refuses such sites first",
    ("DftError", "tiny_cell"): "Structure refuses such a lattice first",
    ("DftError", "invalid_cell"): "Structure refuses such a lattice first",
    ("PotentialError", "not_installed"): "met where CHGNet's own tests are",
    ("PotentialError", "weights"): "needs an installation that is damaged",
    ("PotentialError", "unknown_element"): "needs CHGNet's weights",
    ("PotentialError", "isolated_atom"): "needs CHGNet's weights",
    ("PotentialError", "too_large"): "needs CHGNet's weights",
    ("PotentialError", "other"): "whatever comes without a code of its own",
    ("StoreError", "locked"): "takes 20 s",
    ("StoreError", "open"): "SQLite cannot open what is a store; needs a file system that fails",
    ("StoreError", "io"): "needs a file system that fails",
    ("StoreError", "sqlite"): "needs a file system that fails",
    ("StoreError", "network_file_system"): "needs such a file system",
    ("StoreError", "server"): "needs a server that refuses, which the tests in Rust have",
    ("StoreError", "no_queue"): "the command line alone asks for queues",
    ("StoreError", "read_only"): "whoever runs the tests may be allowed to write everywhere",
    ("StoreError", "damaged"): "checks and exports alone, which the command line has",
    ("TrainingError", "untrusted"): "the package runs nothing that a folder names",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    command = [sys.executable, "-m", "crystalgym", "train", "--task", "density-C6-easy-small"]
    command += ["--set", "dqn.total_steps=40", "--set", "calculator.name=rigid"]
    subprocess.run([*command, "--output", str(folder)], check=True, capture_output=True)
    return folder


def environment(**changes: Any) -> cg.CrystalEnv:
    env = cg.CrystalEnv("density-C6-easy-small", calculator="rigid", **changes)
    env.reset(seed=0)
    return env


def too_many_steps() -> None:
    env = environment()
    for _ in range(5):
        env.step(0)


def sent(ids: list[int]) -> None:
    envs = cg.CrystalVectorEnv(2, "density-C6-easy-small", calculator="rigid")
    envs.reset(seed=0)
    envs.send(np.zeros(len(ids), dtype=np.int64), ids)


def disordered() -> None:
    from pymatgen.core import Lattice, Structure

    half = {"Na": 0.5, "K": 0.5}
    cg.Structure.from_pymatgen(Structure(Lattice.cubic(4), [half], [[0, 0, 0]]))


def newer_store(folder: Path) -> None:
    cg.ResultStore(folder / "new.sqlite")
    with sqlite3.connect(folder / "new.sqlite") as connection:
        connection.execute("PRAGMA user_version = 1000")
    connection.close()
    cg.ResultStore(folder / "new.sqlite")


def text_as_store(folder: Path) -> None:
    (folder / "text.sqlite").write_text("only some text, and long enough to be a database " * 20)
    cg.ResultStore(folder / "text.sqlite")


def store_below_a_file(folder: Path) -> None:
    (folder / "file").touch()
    cg.ResultStore(folder / "file" / "store.sqlite")


def run_with_a_wrong_configuration(run: Path, folder: Path) -> None:
    shutil.copytree(run, folder / "copy")
    (folder / "copy" / "config.toml").write_text("[dqn]\ntotal_steps = 'many'\n")
    agents.load(folder / "copy")


def unseen(run: Path) -> None:
    agent = agents.load(run)
    observation, _ = cg.CrystalEnv(agent.task, calculator="rigid").reset(seed=0)
    agent.act({**observation, "focus": 17})


def untold(folder: Path) -> None:
    """The last site of an episode, which several orders of the sites come to."""
    command = [sys.executable, "-m", "crystalgym", "train", "--algorithm", "surrogate"]
    command += ["--task", "density-C6-easy-small", "--output", str(folder / "run")]
    settings = ["calculator.name=rigid", "surrogate.total_steps=20"]
    sets = [word for setting in settings for word in ("--set", setting)]
    subprocess.run([*command, *sets], check=True, capture_output=True)
    agent = agents.load(folder / "run")
    env = cg.CrystalEnv(agent.task, calculator="rigid")
    env.reset(seed=0)
    for _ in range(3):
        observation, *_, info = env.step(0)
    assert agent.act(observation, info) in range(18)
    agent.act(observation)


def silicon(**settings: Any) -> None:
    cg.ground_state(SALT, **{"cutoff_ev": 50, "k_mesh": (1, 1, 1), **settings})


def mixed_functionals(folder: Path) -> None:
    for symbol, name in (("Na", "PBE"), ("Cl", "PZ")):
        text = cg.gth_upf(symbol).replace('functional="PBE"', f'functional="{name}"')
        (folder / f"{symbol}.upf").write_text(text)
    silicon(pseudopotentials=str(folder))


class Silent:
    """A potential that has no answer."""

    def evaluate(self, structure: cg.Structure, derivatives: bool, /) -> dict[str, Any]:
        raise cg.CalculationFailed("nothing to say")


def silent() -> cg.MlPotential:
    return cg.MlPotential.from_object(Silent())


PROVOKED: dict[tuple[str, str], Callable[[Path, Path], Any]] = {
    ("StructureError", "io"): lambda run, tmp: cg.Structure.from_file(tmp / "none.cif"),
    ("StructureError", "parse"): lambda run, tmp: cg.Structure.from_text("data", "poscar"),
    ("StructureError", "unknown_format"): lambda run, tmp: SALT.to(tmp / "salt.doc"),
    ("StructureError", "unknown_element"): lambda run, tmp: cg.element_data("Xx"),
    ("StructureError", "unknown_skeleton"): lambda run, tmp: cg.Skeleton("C9"),
    ("StructureError", "invalid_lattice"): lambda run, tmp: cg.Structure(np.zeros((3, 3)), [], []),
    ("StructureError", "invalid_structure"): lambda run, tmp: cg.Structure(
        np.eye(3), ["Na"], [[np.nan, 0, 0]]
    ),
    ("StructureError", "site_count"): lambda run, tmp: cg.Skeleton("C2").fill(["Na"]),
    ("StructureError", "unknown_site"): lambda run, tmp: cg.Skeleton("C2").sites_named("Na"),
    ("StructureError", "symmetry"): lambda run, tmp: cg.space_group(SALT, tolerance=-1.0),
    ("StructureError", "several_structures"): lambda run, tmp: cg.Structure.from_text(
        f"[{SALT.to_text('json')}, {SALT.to_text('json')}]", "json"
    ),
    ("StructureError", "no_such_structure"): lambda run, tmp: cg.Structure.from_text(
        SALT.to_text("poscar"), "poscar", index=1
    ),
    ("StructureError", "disordered"): lambda run, tmp: disordered(),
    ("StructureError", "not_periodic"): lambda run, tmp: cg.Structure.from_ase(Atoms("H")),
    ("StructureError", "not_a_structure"): lambda run, tmp: cg.space_group(3),
    ("StructureError", "formula"): lambda run, tmp: metrics.reduced_formula("Na(Cl"),
    ("StructureError", "invalid_tolerance"): lambda run, tmp: metrics.same_structure(
        SALT, SALT, length_tolerance=-1.0
    ),
    ("TaskError", "unknown_task"): lambda run, tmp: cg.Task.named("density-C9"),
    ("TaskError", "invalid_task"): lambda run, tmp: environment(start_site=17),
    ("TaskError", "unknown_action_set"): lambda run, tmp: environment(actions="huge"),
    ("TaskError", "duplicate_element"): lambda run, tmp: environment(elements=["Na", "Na"]),
    ("TaskError", "unknown_property"): lambda run, tmp: cg.evaluate(SALT, "colour"),
    ("TaskError", "unknown_option"): lambda run, tmp: environment().reset(options={"goal": 1}),
    ("TaskError", "invalid_action"): lambda run, tmp: environment().step(18),
    ("TaskError", "forbidden_action"): lambda run, tmp: environment(
        allowed={0: ["F"]}, start_site=0
    ).step(0),
    ("TaskError", "action_count"): lambda run, tmp: environment().step([0, 0]),  # type: ignore
    ("TaskError", "episode_ended"): lambda run, tmp: too_many_steps(),
    ("TaskError", "no_environment"): lambda run, tmp: sent([2]),
    ("TaskError", "step_under_way"): lambda run, tmp: sent([1, 1]),
    ("TaskError", "snapshot"): lambda run, tmp: environment().set_state("{}"),
    ("TaskError", "no_crystal"): lambda run, tmp: environment().crystal,
    ("TaskError", "no_state"): lambda run, tmp: unseen(run),
    ("TaskError", "no_start"): lambda run, tmp: untold(tmp),
    ("CalculatorError", "invalid_settings"): lambda run, tmp: cg.Calculator("magic"),
    ("CalculatorError", "unusable_calculator"): lambda run, tmp: cg.evaluate(
        SALT, "band_gap", calculator="rigid"
    ),
    ("DftError", "too_large"): lambda run, tmp: silicon(cutoff_ev=5000, memory_limit_gib=0.1),
    ("DftError", "mixed_functionals"): lambda run, tmp: mixed_functionals(tmp),
    ("DftError", "odd_electron_count"): lambda run, tmp: cg.ground_state(
        cg.Structure(np.eye(3) * 4, ["H"], [[0, 0, 0]]), cutoff_ev=50, k_mesh=(1, 1, 1)
    ),
    ("DftError", "invalid_setting"): lambda run, tmp: silicon(smearing="square"),
    ("DftError", "pseudopotential"): lambda run, tmp: silicon(pseudopotentials=str(tmp)),
    ("PotentialError", "failed"): lambda run, tmp: silent().evaluate(SALT),
    ("PotentialError", "invalid_setting"): lambda run, tmp: silent().relax(
        SALT, force_tolerance=0.0
    ),
    ("StoreError", "folder"): lambda run, tmp: store_below_a_file(tmp),
    ("StoreError", "newer_layout"): lambda run, tmp: newer_store(tmp),
    ("StoreError", "not_a_store"): lambda run, tmp: text_as_store(tmp),
    ("StoreError", "url"): lambda run, tmp: cg.ResultStore("postgres://u:secret@h/d"),
    ("TrainingError", "io"): lambda run, tmp: agents.load(tmp / "none"),
    ("TrainingError", "configuration"): run_with_a_wrong_configuration,
    ("TrainingError", "run_folder"): lambda run, tmp: cg.read_episodes(run / "config.toml"),
    ("TrainingError", "agent"): lambda run, tmp: agents.load(run, task="density-C6-easy-large"),
}


def test_the_guide_lists_all_codes() -> None:
    """Oracle: the codes in the sources of the package."""
    sources = [*ROOT.glob("crates/python/src/*.rs"), *ROOT.glob("python/crystalgym/*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    written = re.findall(r'\bcode: "(\w+)",\n|\bcode="(\w+)"', text)
    matched = re.findall(r'=> (?:\{\s*)?\(\s*"(\w+)",\s*(?:json!|Some\()', text)
    in_sources = {code for pair in written for code in pair if code} | set(matched)
    # In a docstring.
    in_sources -= {"scf_not_converged"}
    assert in_sources == {code for _, code in CODES} | {"other"}
    assert set(PROVOKED) | set(NOT_PROVOKED) == set(CODES)
    assert not set(PROVOKED) & set(NOT_PROVOKED)


@pytest.mark.parametrize(("family", "code"), list(PROVOKED), ids=str)
def test_a_code_is_met(family: str, code: str, run: Path, tmp_path: Path) -> None:
    with pytest.raises(cg.CrystalGymError) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        PROVOKED[family, code](run, tmp_path)
    error = caught.value
    assert type(error).__name__ == family and error.code == code
    assert str(error).strip()
    said = CODES[family, code]
    always = set(re.findall(r"(?<!\()`(\w+)`(?!\))", said))
    sometimes = set(re.findall(r"\(`(\w+)`\)", said))
    assert always <= set(error.values) <= always | sometimes
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))
    assert (again.code, again.values) == (error.code, error.values)
    json.dumps(error.values)


def test_the_guide_lists_all_families() -> None:
    listed = {row[0].strip("`"): row[1].strip("`") for row in rows("| class | also a | when |")}
    assert set(listed) == set(errors.__all__) - {"CrystalGymError", "StoreWarning", "ResultWarning"}
    for name, other in listed.items():
        family = getattr(errors, name)
        assert issubclass(family, errors.CrystalGymError)
        assert issubclass(family, getattr(__import__("builtins"), other))


def test_the_guide_lists_all_failures() -> None:
    """Oracle: `crystalgym list failures`."""
    command = [sys.executable, "-m", "crystalgym", "list", "failures"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    expected = dict(line.split() for line in done.stdout.splitlines()[1:])
    listed = {row[0].strip("`"): row[2].rstrip("| ") for row in rows("| code | why | stored |")}
    words = {"yes": "true", "no": "false"}
    assert {code: words[is_stored] for code, is_stored in listed.items()} == expected
