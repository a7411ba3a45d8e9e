"""Every public class, function and property says what it takes and gives, in NumPy's style."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import crystalgym

MODULES = ["", ".agents", ".ase", ".envs", ".errors", ".metrics", ".spaces", ".vector"]
STUB = ast.parse((Path(crystalgym.__file__).parent / "_crystalgym.pyi").read_text())
ARRAYS = re.compile(r"_Real|_Integer|NDArray|Vectors|Flags")


def stub_returns() -> dict[str, str]:
    """Return types by `name` or `Class.name`, which the extension module does not keep."""
    found: dict[str, str] = {}
    for node in STUB.body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for member in members:
            if isinstance(member, ast.FunctionDef) and member.returns is not None:
                found[prefix + member.name] = ast.unparse(member.returns)
    return found


RETURNS = stub_returns()


def public() -> Iterator[tuple[str, Any]]:
    """Names with what they stand for; members of classes too, once each."""
    seen: set[int] = set()
    for suffix in MODULES:
        module = importlib.import_module("crystalgym" + suffix)
        assert module.__doc__, module
        for name in module.__all__:
            thing = getattr(module, name)
            if not (inspect.isclass(thing) or callable(thing)) or id(thing) in seen:
                continue
            if not getattr(thing, "__module__", "").startswith("crystalgym"):
                continue
            seen.add(id(thing))
            yield name, thing
            if inspect.isclass(thing):
                for member, value in vars(thing).items():
                    described = isinstance(value, (property, staticmethod, classmethod))
                    described = described or callable(value) or inspect.isdatadescriptor(value)
                    if described and not member.startswith("_"):
                        yield f"{name}.{member}", getattr(value, "__func__", value)


def sections(documentation: str) -> dict[str, str]:
    """The text below each underlined title; the summary under ''."""
    lines = inspect.cleandoc(documentation).split("\n")
    found, title, start = {}, "", 0
    for i in range(1, len(lines)):
        if lines[i] and set(lines[i]) == {"-"} and len(lines[i]) == len(lines[i - 1]):
            found[title] = "\n".join(lines[start : i - 1])
            title, start = lines[i - 1], i + 1
    found[title] = "\n".join(lines[start:])
    return found


def parameters_of(thing: Any) -> list[str]:
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return []
    names = [name for name in signature.parameters if name not in ("self", "args")]
    if inspect.isclass(thing) and (
        dataclasses.is_dataclass(thing)
        or issubclass(thing, Exception)
        or not {"__init__", "__new__"} & set(vars(thing))
    ):
        return []
    return names


def returns_of(name: str, thing: Any) -> str:
    if name in RETURNS:
        return RETURNS[name]
    function = thing.fget if isinstance(thing, property) else thing
    return str(getattr(function, "__annotations__", {}).get("return", "None"))


@pytest.mark.parametrize(("name", "thing"), [pytest.param(*p, id=p[0]) for p in public()])
def test_it_says_what_it_takes_and_gives(name: str, thing: Any) -> None:
    documentation = inspect.getdoc(thing)
    assert documentation, "no docstring"
    said = sections(documentation)
    summary = said[""].strip().split("\n\n")[0]
    assert summary.endswith((".", ".)", ":")) or "\n" in summary, summary
    named = {
        word.strip("* ")
        for line in said.get("Parameters", "").split("\n")
        if line and not line.startswith(" ")
        for word in line.split(" : ")[0].split(",")
    }
    missing = [parameter for parameter in parameters_of(thing) if parameter not in named]
    assert missing == [], f"parameters {missing}"
    if inspect.isclass(thing):
        return
    returned = returns_of(name, thing)
    is_method = callable(thing)
    if is_method and returned != "None":
        assert "Returns" in said, f"returns {returned}"
    if ARRAYS.search(returned):
        assert "shape" in (said.get("Returns", "") if is_method else documentation)


def test_the_walk_finds_the_package() -> None:
    names = {name for name, _ in public()}
    assert {"CrystalEnv.step", "Structure.lattice", "Structure.from_text", "evaluate"} <= names
    assert len(names) > 150
