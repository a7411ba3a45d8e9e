"""Every public class, function and property says what it takes and gives, in NumPy's style; the code
of the guides runs, and gives what they say."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import crystalgym

MODULES = [
    "",
    ".agents",
    ".ase",
    ".envs",
    ".errors",
    ".loggers",
    ".metrics",
    ".sb3",
    ".spaces",
    ".training",
    ".transitions",
    ".vector",
]
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


ROOT = Path(__file__).parents[2]
SHOWN = "  # → "


def code_blocks(text: str) -> list[tuple[str, str]]:
    """Language and text of each fenced block."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def parts_of_guides() -> Iterator[Any]:
    """Blocks of each section, after those above the first one, which hold for all."""
    for path in ("README.md", "docs/python.md"):
        preamble, *parts = re.split(r"^## ", (ROOT / path).read_text("utf-8"), flags=re.MULTILINE)
        first = code_blocks(preamble)
        for part in parts:
            blocks = code_blocks(part)
            if any(language == "python" for language, _ in blocks):
                yield pytest.param(first + blocks, id=f"{path}-{part.splitlines()[0]}")


def run_block(code: str, names: dict[str, Any]) -> None:
    """Runs it statement by statement; values with an arrow behind them are compared."""
    lines = code.split("\n")
    compared = 0
    for node in ast.parse(code).body:
        _, arrow, expected = lines[(node.end_lineno or 0) - 1].partition(SHOWN)
        if arrow:
            assert isinstance(node, ast.Expr), lines[node.lineno - 1]
            value = eval(compile(ast.Expression(node.value), "guide", "eval"), names)
            found = value if isinstance(value, str) and expected[0] != "'" else repr(value)
            assert found == expected, ast.unparse(node)
            compared += 1
        else:
            exec(compile(ast.Module([node], []), "guide", "exec"), names)
    assert compared == code.count(SHOWN)


# Libraries that the guide uses warn of much; errors are errors all the same.
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("blocks", list(parts_of_guides()))
def test_code_of_the_guides_runs(
    blocks: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for language, code in blocks:
        if language == "python":
            run_block(code, names)
            continue
        # Those of the README that need a shell are tried by the continuous integration.
        for line in code.splitlines():
            command = shlex.split(line)
            if command[0] == "crystalgym":
                command[:1] = [sys.executable, "-m", "crystalgym"]
                subprocess.run(command, check=True, capture_output=True)


def test_every_block_of_the_guide_is_run() -> None:
    guide = (ROOT / "docs/python.md").read_text("utf-8")
    assert {language for language, _ in code_blocks(guide)} == {"python", "sh"}
    in_parts = [block for part in parts_of_guides() for block in part.values[0]]
    assert all(block in in_parts for block in code_blocks(guide))


def test_a_wrong_value_in_a_guide_is_seen() -> None:
    run_block(f"1 + 1{SHOWN}2", {})
    with pytest.raises(AssertionError):
        run_block(f"1 + 1{SHOWN}3", {})
    with pytest.raises(AssertionError):
        run_block(f"x = 1{SHOWN}1", {})
