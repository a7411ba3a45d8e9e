"""The types of package and examples, and the stub against what the extension module does.

The stub is written by hand: what PyO3's generator makes (0.30, `experimental-inspect`) agrees with it
in every name and parameter and contradicts no type, but says `Incomplete` of every NumPy array and
`Any` of structures, calculators and what comes from JSON (docs/python.md, Types). It is checked in
three ways: by mypy, name by name by stubtest, and by the types of real values.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crystalgym as cg
from crystalgym import _crystalgym, agents, metrics

STUB = Path(cg.__file__).parent / "_crystalgym.pyi"


def test_types_of_package_examples_and_benchmarks(examples_folder: Path, tmp_path: Path) -> None:
    """Oracle: mypy in its strict mode."""
    benchmarks = examples_folder.with_name("benchmarks")
    files = sorted(map(str, [*examples_folder.glob("*.py"), *benchmarks.glob("*.py")]))
    # Packages that only some of the functions need, and say so.
    optional = tmp_path / "mypy.ini"
    optional.write_text("[mypy]\n[mypy-minari.*,tomli,wandb]\nignore_missing_imports = True\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(optional)]
    command += ["--cache-dir", str(tmp_path / "cache")]
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


def annotations() -> dict[str, str]:
    """Types by `name` (functions) and `Class.name` (properties and methods)."""
    found: dict[str, str] = {}
    for node in ast.parse(STUB.read_text()).body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for member in members:
            if isinstance(member, ast.FunctionDef) and member.returns is not None:
                found[prefix + member.name] = ast.unparse(member.returns)
    return found


ANNOTATIONS = annotations()
NAMES: dict[str, Any] = {
    "ResultWarning": cg.ResultWarning,
    **vars(_crystalgym),
    **vars(typing),
    "Path": Path,
    "np": np,
    "npt": np.typing,
    "_Real": np.typing.NDArray[np.float64],
    "_Integer": np.typing.NDArray[np.int64],
}


def conforms(value: Any, kind: Any) -> bool:
    """Whether a value is of a type, as far as it can be seen."""
    if kind is Any:
        return True
    if kind is None or kind is type(None):
        return value is None
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return any(conforms(value, member) for member in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is list:
        return type(value) is list and all(conforms(member, arguments[0]) for member in value)
    if origin is dict:
        key, member = arguments
        return type(value) is dict and all(
            conforms(k, key) and conforms(v, member) for k, v in value.items()
        )
    if origin is tuple:
        return (
            type(value) is tuple
            and len(value) == len(arguments)
            and all(map(conforms, value, arguments))
        )
    if origin is np.ndarray:
        (dtype,) = typing.get_args(arguments[1])
        return isinstance(value, np.ndarray) and np.issubdtype(value.dtype, dtype)
    if kind is Path:
        return isinstance(value, Path)
    return type(value) is kind


class Still:
    """A potential that never pulls."""

    def evaluate(self, structure: cg.Structure, derivatives: bool, /) -> dict[str, Any]:
        zero = [0.0, 0.0, 0.0]
        return {"energy": 0.0, "forces": [zero] * len(structure.elements), "stress": [zero] * 3}


def samples(tmp_path: Path) -> Iterator[tuple[str, Any]]:
    """Values by the name of what they come from: all properties, and calls without hazards."""
    skeleton = cg.Skeleton("C6")
    crystal = skeleton.fill(["Na", "Cl", "F", "Li"])
    structure = crystal.structure
    store = cg.ResultStore(tmp_path / "store.sqlite")
    rigid = cg.evaluate(crystal, "density", calculator="rigid")
    failed = cg.evaluate(crystal, "density", calculator=fails)
    task = cg.Task.named("density-C6-easy-small")
    silicon = {"cutoff_ev": 60.0, "k_mesh": (1, 1, 1)}
    bare = cg.ground_state(crystal, **silicon)
    full = cg.ground_state(crystal, **silicon, forces=True, smearing="gaussian")
    objects = [structure, skeleton, skeleton.graph, crystal, rigid, failed, task, bare, full, store]
    objects += [cg.Calculator("rigid"), cg.Calculator.from_function(fails), store.table()]
    objects += [metrics.validity(structure), metrics.diversity([structure])]
    states = full.density_of_states(k_mesh=(1, 1, 1), step=0.5)
    objects += [full.band_structure(spacing=2.0), states, cg.ExhaustiveTable("band_gap-C6-tiny")]
    sites = {"Na": ["Na", "K"]}
    found = cg.search(
        structure, sites, property="density", target=3.0, calculator="rigid", store=None
    )
    objects += [found, found[0], cg.MlPotential.from_object(Still())]
    for thing in objects:
        name = type(thing).__name__
        for member, value in vars(type(thing)).items():
            # PyO3's properties.
            if isinstance(value, types.GetSetDescriptorType):
                yield f"{name}.{member}", getattr(thing, member)
    yield "Structure.to_text", structure.to_text("cif")
    yield "Structure.graph", structure.graph()
    yield "Structure.from_text", cg.Structure.from_text(structure.to_text("json"), "json")
    yield "CrystalGraph.breadth_first", skeleton.graph.breadth_first(0)
    yield "Skeleton.builtins", cg.Skeleton.builtins()
    yield "Skeleton.from_structure", cg.Skeleton.from_structure(structure)
    yield "Crystal.canonical", crystal.canonical()
    yield "ResultStore.results", store.results()
    yield "ResultStore.statistics", store.statistics()
    yield "ResultStore.table", store.table()
    yield "Table.to_dict", store.table().to_dict()
    yield "element_data", cg.element_data("Na")
    yield "k_mesh", cg.k_mesh(structure)
    yield "niggli_reduce", cg.niggli_reduce(structure)
    yield "properties", cg.properties()
    yield "reward", cg.reward("density", 3.0, 3.0)
    yield "space_group", cg.space_group(structure)
    yield "tasks", cg.tasks()
    yield "gth_upf", cg.gth_upf("Na")
    yield "is_charge_balanced", metrics.is_charge_balanced("NaCl")
    yield "reduced_formula", metrics.reduced_formula("NaCl")
    yield "primitive", metrics.primitive(structure)
    yield "same_structure", metrics.same_structure(structure, structure)
    yield "first_of_each", metrics.first_of_each([structure])
    yield "novel", metrics.novel([structure], [])


def fails(structure: cg.Structure, property: str) -> float:
    raise cg.CalculationFailed("always", code="scf_not_converged")


def test_values_are_of_the_stubs_types(tmp_path: Path) -> None:
    seen: set[str] = set()
    for name, value in samples(tmp_path):
        kind = eval(ANNOTATIONS[name], NAMES)
        assert conforms(value, kind), f"{name} is {value!r}, expected {ANNOTATIONS[name]}"
        seen.add(name)
    properties = {
        name
        for name in ANNOTATIONS
        if "." in name and not name.split(".")[1].startswith("_") and is_property(name)
    }
    # What needs a trained agent or is internal.
    rest = {name for name in properties - seen if not name.startswith(("TrainedPolicy", "Env"))}
    assert rest == set()
    assert agents.load.__annotations__["return"] == "TrainedAgent"


def is_property(name: str) -> bool:
    cls, member = name.split(".")
    value = vars(getattr(_crystalgym, cls, object)).get(member)
    return isinstance(value, types.GetSetDescriptorType)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(1, "float"), (1.0, "int"), (None, "float"), ([1.0], "list[int]"), ("a", "Literal['b']")]
    + [(np.zeros(3, np.int64), "_Real"), ((1, 2), "tuple[int, int, int]")],
)
def test_what_is_of_another_type_is_seen(value: Any, kind: str) -> None:
    assert not conforms(value, eval(kind, NAMES))
