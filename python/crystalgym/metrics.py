"""Metrics of generated crystals: validity, uniqueness, novelty, diversity, properties.

Definitions are those of LeMat-GenBench where it has one; what differs is said at each function.
Structures are anything that :func:`crystalgym.evaluate` takes.
"""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from crystalgym._crystalgym import (
    Diversity,
    Evaluation,
    Structure,
    Validity,
    diversity,
    first_of_each,
    is_charge_balanced,
    novel,
    primitive,
    reduced_formula,
    same_structure,
    write_file,
    validity,
)
from crystalgym._interoperation import to_structure

__all__ = [
    "Diversity",
    "PropertyStatistics",
    "Report",
    "Validity",
    "diversity",
    "first_of_each",
    "is_charge_balanced",
    "new_compositions",
    "novel",
    "primitive",
    "property_statistics",
    "reduced_formula",
    "report",
    "same_structure",
    "validity",
    "write_structures",
]


def new_compositions(compositions: Iterable[Any], reference: Iterable[Any]) -> list[bool]:
    """For each composition, whether the reference has none with the same elements and ratios.

    Parameters
    ----------
    compositions, reference : iterable of str or structure-like
        Formulas or structures.

    Returns
    -------
    list of bool
    """
    known = {reduced_formula(entry) for entry in reference}
    return [reduced_formula(entry) not in known for entry in compositions]


@dataclass(frozen=True)
class PropertyStatistics:
    """What became of a property over many crystals; numbers in the property's unit.

    The statistics are over the calculations that gave a value, the rates over all.
    """

    n: int
    """Crystals."""
    n_values: int
    """Crystals whose calculation gave a value."""
    failures: dict[str, int]
    """Failed calculations by code; ``missing`` for a value that was ``None``."""
    mean: float
    standard_deviation: float
    """With n - 1 in the denominator; 0 of one value."""
    minimum: float
    quartiles: tuple[float, float, float]
    """By linear interpolation."""
    maximum: float
    target: float | None = None
    tolerance: float | None = None
    mean_absolute_error: float | None = None
    """Of the values, from the target."""
    closest: float | None = None
    """The value nearest to the target."""
    success_rate: float | None = None
    """Share of all crystals within the tolerance of the target; a failure is none of them."""


def property_statistics(
    values: Iterable[Evaluation | float | None],
    *,
    target: float | None = None,
    tolerance: float | None = None,
) -> PropertyStatistics:
    """Statistics of a property, and how often it came within a tolerance of a target.

    Parameters
    ----------
    values : iterable of Evaluation, float or None
        Evaluations, or plain values with ``None`` where there is none.
    target, tolerance : float, optional
        In the property's unit; the tolerance counts itself.

    Returns
    -------
    PropertyStatistics

    Raises
    ------
    ValueError
        If there is nothing to count, a tolerance without a target, or a value that is not finite.
    """
    if tolerance is not None and (target is None or not tolerance >= 0):
        raise ValueError(f"tolerance is {tolerance}, expected a number from 0 up, and a target")
    failures: Counter[str] = Counter()
    found: list[float] = []
    for entry in values:
        value = entry.value if isinstance(entry, Evaluation) else entry
        if value is None:
            code = entry.failure if isinstance(entry, Evaluation) else None
            failures[code or "missing"] += 1
        elif math.isfinite(value):
            found.append(float(value))
        else:
            raise ValueError(f"a value is {value}, expected a finite number or None")
    n = len(found) + failures.total()
    if n == 0:
        raise ValueError("0 values, expected at least 1")
    found.sort()
    errors = [abs(value - target) for value in found] if target is not None else []
    return PropertyStatistics(
        n=n,
        n_values=len(found),
        failures=dict(sorted(failures.items())),
        mean=statistics.fmean(found) if found else math.nan,
        standard_deviation=statistics.stdev(found)
        if len(found) > 1
        else 0.0
        if found
        else math.nan,
        minimum=found[0] if found else math.nan,
        quartiles=(_quantile(found, 0.25), _quantile(found, 0.5), _quantile(found, 0.75)),
        maximum=found[-1] if found else math.nan,
        target=target,
        tolerance=tolerance,
        mean_absolute_error=statistics.fmean(errors) if errors else None,
        closest=found[errors.index(min(errors))] if errors else None,
        success_rate=(
            None if tolerance is None else sum(error <= tolerance for error in errors) / n
        ),
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    if not ordered:
        return math.nan
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


@dataclass(frozen=True)
class Report:
    """Metrics of a set of crystals; every rate is a share of all of them.

    As in LeMat-GenBench, all but the first four are of valid crystals alone.
    """

    n: int
    charge_balanced: float
    distances: float
    plausible: float
    valid: float
    unique: float
    """Valid, and the first of their kind."""
    novel: float | None
    """Valid, and none of the reference."""
    new_composition: float | None
    """Valid, and of a composition that the reference has not."""
    unique_and_novel: float | None
    diversity: Diversity
    """Of the valid ones."""


def report(
    structures: Iterable[Any],
    reference: Iterable[Any] | None = None,
    *,
    oxidation_states: Mapping[str, Sequence[int]] | None = None,
) -> Report:
    """All metrics of a set of crystals that need no calculation.

    Parameters
    ----------
    structures : iterable of structure-like
    reference : iterable of structure-like, optional
        What is known already, for novelty.
    oxidation_states : mapping, optional
        As for :func:`validity`.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If there is no structure.
    """
    made = [_structure(structure) for structure in structures]
    if not made:
        raise ValueError("0 structures, expected at least 1")
    states = None if oxidation_states is None else {k: list(v) for k, v in oxidation_states.items()}
    verdicts = [validity(structure, oxidation_states=states) for structure in made]
    good = [structure for structure, verdict in zip(made, verdicts) if verdict.valid]
    unique = first_of_each(good)
    n = len(made)
    is_novel, is_new = None, None
    if reference is not None:
        known = [_structure(structure) for structure in reference]
        is_novel = novel(good, known)
        is_new = new_compositions(good, known)
    return Report(
        n=n,
        charge_balanced=sum(verdict.charge_balanced for verdict in verdicts) / n,
        distances=sum(verdict.distances for verdict in verdicts) / n,
        plausible=sum(verdict.plausible for verdict in verdicts) / n,
        valid=len(good) / n,
        unique=int(unique.sum()) / n,
        novel=None if is_novel is None else int(is_novel.sum()) / n,
        new_composition=None if is_new is None else sum(is_new) / n,
        unique_and_novel=None if is_novel is None else int((unique & is_novel).sum()) / n,
        diversity=diversity(good),
    )


def write_structures(structures: Iterable[Any], path: str | PathLike[str]) -> int:
    """Write structures for LeMat-GenBench: a folder of CIF files, or a CSV file of them.

    Parameters
    ----------
    structures : iterable of structure-like
    path : path-like
        If it ends in ``.csv``, a table with the columns ``formula`` and ``cif_string``; otherwise a
        folder, made if need be, for files ``00000_NaCl.cif``.

    Returns
    -------
    int
        How many were written.
    """
    made = [_structure(structure) for structure in structures]
    path = Path(path)
    if path.suffix == ".csv":
        table = io.StringIO(newline="")
        writer = csv.writer(table)
        writer.writerow(["formula", "cif_string"])
        writer.writerows((reduced_formula(one), one.to_text("cif")) for one in made)
        write_file(path, table.getvalue())
    else:
        path.mkdir(parents=True, exist_ok=True)
        for number, structure in enumerate(made):
            structure.to(path / f"{number:05}_{reduced_formula(structure)}.cif")
    return len(made)


def _structure(value: Any) -> Structure:
    return value if isinstance(value, Structure) else to_structure(value)
