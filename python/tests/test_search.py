"""Searches from Python: sites, ties, ranges, callables, confirmation, tables, the store."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

import crystalgym as cg

HALF = 11.25 / 2
X, Y = 0.251, 0.749
ELPASOLITE = cg.Structure(
    [[0, HALF, HALF], [HALF, 0, HALF], [HALF, HALF, 0]],
    ["Cs", "Cs", "Ag", "Bi"] + ["Br"] * 6,
    [[0.25] * 3, [0.75] * 3, [0.5] * 3, [0.0] * 3]
    + [[Y, X, X], [X, Y, Y], [X, Y, X], [Y, X, Y], [X, X, Y], [Y, Y, X]],
)
SITES = {"A": ["Cs", "Rb"], "B": ["Ag", "Na"], "B2": ["Bi", "Sb"], "X": ["Cl", "Br", "I"]}


def test_a_double_perovskite_is_ranked(tmp_path: Path) -> None:
    """Oracle: densities by the same formula in Python."""
    result = cg.search(
        ELPASOLITE, SITES, property="density", target=(4.5, 4.9), tie="X", charge_balanced=True,
        calculator="rigid", output=tmp_path,
    )
    assert (len(result), result.algorithm) == (36, "exhaustive")
    masses = {symbol: cg.element_data(symbol)["mass_u"] for found in SITES.values() for symbol in found}
    for found in result.findings:
        mass = sum(masses[symbol] for symbol in found.crystal.elements)
        density = 1.66053906660 * mass / (11.25**3 / 4)
        assert found.value == pytest.approx(density, rel=1e-9)
        assert found.distance == pytest.approx(max(4.5 - density, density - 4.9, 0.0), abs=1e-9)
        assert len(set(found.crystal.elements[4:])) == 1
    distances = [found.distance for found in result.findings]
    assert distances == sorted(distances, key=lambda distance: distance or 0.0)
    assert result[-1].formula == result.findings[-1].formula
    with pytest.raises(IndexError):
        result[36]
    columns = result.table().to_dict()
    assert columns["formula"][0] == result[0].formula
    with open(tmp_path / "ranking.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["formula"] for row in rows] == columns["formula"]
    best = cg.Structure.from_file(tmp_path / f"01_{result[0].formula}.cif")
    assert best.formula == result[0].formula
    assert result[0].formula in result._repr_html_()


def test_any_function_can_be_searched_and_a_failure_comes_last() -> None:
    calls: list[str] = []

    def heavy(structure: cg.Structure, property: str) -> float:
        calls.append(structure.formula)
        if "Na" in structure.elements:
            raise cg.CalculationFailed("no sodium here", code="scf_not_converged")
        return structure.density

    result = cg.search(
        ELPASOLITE, {"Ag": ["Ag", "Na"], 3: "Sb"}, property="density", target="4..5", calculator=heavy
    )
    assert calls == ["Cs2AgSbBr6", "Cs2NaSbBr6"]
    assert [found.failure for found in result.findings] == [None, "scf_not_converged"]
    assert result[1].value is None and "scf_not_converged" in repr(result[1])


def test_a_genetic_search_finds_the_best_of_many() -> None:
    """Oracle: all of the 2³ · 3⁶ combinations, of which symmetry leaves fewer."""
    def near(structure: cg.Structure, property: str) -> float:
        return structure.density

    options: dict[str, Any] = {"property": "density", "target": 3.5, "calculator": near}
    every = cg.search(ELPASOLITE, SITES, algorithm="exhaustive", budget=10_000, **options)
    some = cg.search(ELPASOLITE, SITES, algorithm="genetic", budget=200, seed=3, **options)
    again = cg.search(ELPASOLITE, SITES, algorithm="genetic", budget=200, seed=3, **options)
    assert len(every) > 400 and len(some) == 200
    assert [found.formula for found in again.findings] == [found.formula for found in some.findings]
    best = [found.distance or 0.0 for found in every.findings]
    assert (some[0].distance or 0.0) <= best[9]


def test_what_cannot_be_searched_is_named() -> None:
    common: dict[str, Any] = {"property": "density", "target": 3.0, "calculator": "rigid"}
    with pytest.raises(cg.StructureError, match="no site 'K'"):
        cg.search(ELPASOLITE, {"K": ["Cs"]}, **common)
    changes: list[tuple[dict[str, Any], str, str]] = [
        ({"tie": "Y"}, "tie", "Y has no choice"),
        ({"algorithm": "magic"}, "algorithm", "expected one of auto"),
        ({"target": (2.0, 1.0)}, "target", "ascending"),
    ]
    for change, field, words in changes:
        with pytest.raises(cg.TaskError, match=words) as error:
            cg.search(ELPASOLITE, SITES, **{**common, **change})
        assert error.value.values == {"field": field}
    with pytest.raises(ValueError, match="geometry 'other'"):
        cg.search(ELPASOLITE, SITES, geometry="other", **common)
    with pytest.raises(ValueError, match="cell is 'other'"):
        cg.search(ELPASOLITE, SITES, cell="other", **common)


def test_scanned_and_relaxed_cells_agree(tmp_path: Path) -> None:
    """Oracle: the volume of lowest energy, from energies alone, against forces and stress at rest."""
    half = 5.0 / 2
    sulphide = cg.Structure(
        [[0, half, half], [half, 0, half], [half, half, 0]], ["Mg", "S"], [[0] * 3, [0.5] * 3]
    )
    native = {"name": "native", "native": {"ecutwfc_ry": 30.0, "kppa": 120.0, "threads": 1}}
    store = cg.ResultStore(tmp_path / "store.sqlite")
    ratios = {}
    for geometry in ("volume", "relaxed"):
        result = cg.search(
            sulphide, {"Mg": ["Mg"]}, property="band_gap", target=3.0, geometry=geometry,
            calculator=native, store=store, output=tmp_path / geometry,
        )
        ratios[geometry] = result[0].volume_ratio
    assert ratios["volume"] > 1.05
    assert ratios["relaxed"] == pytest.approx(ratios["volume"], rel=0.015)
    kept = list((tmp_path / "relaxed/relaxed").glob("*.json"))
    assert len(kept) == 1
    before = kept[0].stat().st_mtime_ns
    cg.search(
        sulphide, {"Mg": ["Mg"]}, property="band_gap", target=3.0, geometry="relaxed",
        calculator=native, store=store, output=tmp_path / "relaxed",
    )
    assert kept[0].stat().st_mtime_ns == before
    failed = cg.search(
        sulphide, {"Mg": ["Mg"]}, property="density", target=1.0, geometry="relaxed",
        calculator="rigid",
    )
    assert failed[0].failure == "unsupported_property"
