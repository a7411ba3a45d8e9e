"""What notebooks show of crystals, evaluations, searches, tables and runs."""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from crystalgym._crystalgym import Crystal, Evaluation, SearchResult, Table

if TYPE_CHECKING:
    from crystalgym.training import Run

ROWS = 10
"""Rows of a table that are shown."""


def of_crystal(crystal: Crystal) -> str:
    """A picture above formula, skeleton and space group."""
    from crystalgym._crystalgym import space_group

    number, symbol = space_group(crystal.structure)
    words = f"{crystal.formula} on {crystal.skeleton.label}, {symbol} ({number})"
    return f"<figure>{_picture(crystal)}<figcaption>{html.escape(words)}</figcaption></figure>"


def of_evaluation(evaluation: Evaluation) -> str:
    """The value or the failure, what it was computed with, and what is to be said against it."""
    rows: list[tuple[str, Any]] = [("crystal", evaluation.crystal.formula)]
    if evaluation.value is None:
        rows.append(("failure", f"{evaluation.failure}: {evaluation.message}"))
    else:
        rows.append((evaluation.property_name, f"{evaluation.value:.5g} {evaluation.unit}"))
    rows.append(("calculator", evaluation.calculator))
    for key, value in (evaluation.settings or {}).items():
        if isinstance(value, (int, float, str)):
            rows.append((key, value))
    rows += [("warning", str(warning)) for warning in evaluation.warnings]
    cells = "".join(f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def of_table(table: Table) -> str:
    """The first rows, and how many there are."""
    columns = table.to_dict()
    rows = list(zip(*columns.values()))
    return _table(list(columns), rows[:ROWS], len(rows))


def of_search(result: SearchResult) -> str:
    """The ranking from its head."""
    findings = result.findings
    rows = [
        (rank, found.formula, found.value, found.distance, found.failure, len(found.warnings))
        for rank, found in enumerate(findings[:ROWS], 1)
    ]
    names = ["rank", "formula", "value", "distance", "failure", "warnings"]
    return f"<p>{_text(repr(result))}</p>" + _table(names, rows, len(findings))


def of_run(run: Run) -> str:
    """What was trained, and its best crystals."""
    best = run.best(ROWS)
    names = ["rank", "formula", "skeleton", "value", "return"]
    rows = [
        (rank, one["formula"], one["skeleton"], one["value"], one["episodic_return"])
        for rank, one in enumerate(best, 1)
    ]
    return f"<p>{_text(repr(run))}</p>" + _table(names, rows, len(rows))


def _table(names: Sequence[str], rows: Iterable[Sequence[Any]], count: int) -> str:
    head = "".join(f"<th>{_text(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    more = f"<p>{count} rows, the first {ROWS} shown</p>" if count > ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    return html.escape(f"{cell:.5g}" if isinstance(cell, float) else str(cell))


def _picture(crystal: Crystal) -> str:
    from crystalgym.render import picture

    pixels = picture(crystal.skeleton, crystal.elements)
    data = base64.b64encode(_png(pixels)).decode("ascii")
    return f'<img alt="{_text(crystal.formula)}" width="240" src="data:image/png;base64,{data}">'


def _png(pixels: Any) -> bytes:
    """A picture of shape (height, width, 3) as PNG."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
