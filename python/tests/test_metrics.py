"""Metrics of generated crystals against pymatgen, SMACT and numpy."""

from __future__ import annotations

import csv
import itertools
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crystalgym as cg
from crystalgym import metrics

GENBENCH = {"ltol": 0.1, "stol": 0.3, "angle_tol": 5}


def disturbed(structure: cg.Structure, rng: np.random.Generator, amount: float) -> cg.Structure:
    """The structure in another cell, turned, shifted, scaled, reordered, its sites moved. Where
    sites move, the cell keeps its size: of two that nearly repeat, nobody can say at which distance
    they cease to."""
    matrices = [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 1, 0], [0, 1, 0], [0, 0, 1]],
        [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
    ]
    if amount == 0:
        matrices += [[[2, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 1, 0], [-1, 1, 0], [0, 0, 1]]]
    theirs = structure.to_pymatgen()
    theirs.make_supercell(matrices[int(rng.integers(len(matrices)))], to_unit_cell=False)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    if rng.random() < 0.5:
        rotation[0] *= -1
    lattice = theirs.lattice.matrix @ rotation * rng.uniform(0.8, 1.2)
    size = (abs(np.linalg.det(lattice)) / len(theirs)) ** (1 / 3)
    cart = theirs.frac_coords @ lattice + rng.normal(size=(len(theirs), 3)) * amount * size
    frac = cart @ np.linalg.inv(lattice) + rng.uniform(size=3)
    order = rng.permutation(len(theirs))
    return cg.Structure(lattice, [theirs[i].specie.symbol for i in order], frac[order])


def crystals(rng: np.random.Generator) -> list[cg.Structure]:
    """Fillings of all skeletons by two or three elements."""
    made = []
    for skeleton in cg.Skeleton.builtins():
        for elements in (["Na", "Cl"], ["Ca", "O", "H"]):
            more = rng.choice(elements, len(skeleton) - len(elements))
            filling = rng.permutation([*elements, *more])
            made.append(skeleton.fill([str(element) for element in filling]).structure)
    return made


@pytest.mark.parametrize("amount", [0.0, 0.03, 0.1, 0.2])
def test_structures_match_where_pymatgens_do(
    amount: float, random_structures: list[cg.Structure]
) -> None:
    """Oracle: pymatgen's StructureMatcher with the same tolerances. Sites are moved up to the
    tolerance's border and beyond. Where a structure nearly repeats within its cell, pymatgen may
    find another primitive cell: one in a hundred here."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(**GENBENCH)
    rng = np.random.default_rng(int(100 * amount) + 1)
    structures = [*crystals(rng), *crystals(rng), *crystals(rng), *random_structures]
    verdicts, other_cells = [], 0
    for structure in structures:
        other = disturbed(structure, rng, amount)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = bool(matcher.fit(structure.to_pymatgen(), other.to_pymatgen()))
            sites = len(other.to_pymatgen().get_primitive_structure())
        if len(metrics.primitive(other)) != sites:
            other_cells += 1
            continue
        assert metrics.same_structure(structure, other) == theirs, (structure, other)
        verdicts.append(theirs)
    assert other_cells <= 1
    if amount == 0:
        assert all(verdicts)
    if amount == 0.2:
        assert not all(verdicts)


def test_pairs_match_where_pymatgens_do() -> None:
    """Oracle: pymatgen's StructureMatcher on every pair of fillings of one composition."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(**GENBENCH)
    perovskites = [cg.Skeleton(name) for name in ("C1", "C2", "C3", "C5")]
    structures = [
        skeleton.fill(list(filling) + ["H"] * (len(skeleton) - 4)).structure
        for skeleton in perovskites
        for filling in itertools.islice(
            dict.fromkeys(itertools.permutations(["Na", "Ca", "H", "H"])), 6
        )
    ]
    found = {True: 0, False: 0}
    for one, other in itertools.combinations(structures, 2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = bool(matcher.fit(one.to_pymatgen(), other.to_pymatgen()))
        assert metrics.same_structure(one, other) == theirs, (one, other)
        found[theirs] += 1
    assert min(found.values()) > 5


def test_primitive_cells_are_as_small_as_pymatgens(random_structures: list[cg.Structure]) -> None:
    """Oracle: the numbers of sites and volumes of pymatgen's primitive cells."""
    rng = np.random.default_rng(3)
    for structure in crystals(rng) + random_structures:
        for other in (structure, disturbed(structure, rng, 0.0)):
            ours = metrics.primitive(other)
            theirs = other.to_pymatgen().get_primitive_structure()
            assert len(ours) == len(theirs), other
            assert ours.volume == pytest.approx(theirs.volume)


def test_uniqueness_and_novelty() -> None:
    """Oracle: pymatgen's groups of equal structures; identity: nothing is new to itself."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    rng = np.random.default_rng(5)
    structures = [
        cg.Skeleton("C2").fill([str(e) for e in rng.choice(["Na", "Cl"], 5)]).structure
        for _ in range(40)
    ]
    unique = metrics.first_of_each(structures)
    groups = StructureMatcher(**GENBENCH).group_structures([s.to_pymatgen() for s in structures])
    assert unique.dtype == np.bool_ and unique.sum() == len(groups)
    kept = [structure for structure, first in zip(structures, unique) if first]
    assert metrics.first_of_each(kept).all()
    assert not metrics.novel(structures, kept).any()
    assert metrics.novel(structures, []).all()
    half = kept[: len(kept) // 2]
    assert metrics.novel(kept, half).tolist() == [i >= len(half) for i in range(len(kept))]
    assert metrics.first_of_each([]).shape == (0,)
    with pytest.raises(cg.StructureError) as error:
        metrics.same_structure(kept[0], kept[1], site_tolerance=0.0)
    assert error.value.values == {"field": "site", "value": 0.0}


def test_compositions_equal_pymatgens() -> None:
    """Oracle: pymatgen's Composition and its order of IUPAC's Table VI."""
    from pymatgen.core import Composition

    for formula in ("RbCaH3", "Ca3(PO4)2", "Na2Cl2", "Ca(Al(OH)4)2", "K4Fe(CN)6", "H12C6"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            amounts = Composition(formula).reduced_composition
        ordered = sorted(amounts, key=lambda element: element._data["IUPAC ordering"])
        counts = ((e, int(amounts[e])) for e in ordered)
        expected = "".join(f"{e}{n if n > 1 else ''}" for e, n in counts)
        assert metrics.reduced_formula(formula) == expected
    for formula in ("Cs2Br6AgBi", "O3TiSr", "OZn", "As2Ga2", "CaH3Rb"):
        assert metrics.reduced_formula(formula) == Composition(formula).reduced_formula
    crystal = cg.Skeleton("C6").fill(["Na", "Cl", "Na", "Cl"])
    assert metrics.reduced_formula(crystal) == "NaCl"
    assert metrics.new_compositions([crystal, "KCl", "Cl2Na2"], ["NaCl"]) == [False, True, False]
    with pytest.raises(cg.StructureError, match="'Na-Cl'") as error:
        metrics.reduced_formula("Na-Cl")
    assert (error.value.code, error.value.values) == ("formula", {"formula": "Na-Cl"})


def test_charges_balance_where_smacts_do(tmp_path: Path) -> None:
    """Oracle: SMACT with the same table of oxidation states, on random compositions."""
    from smact.screening import smact_validity

    elements = cg.Task.named("density-C1-easy-large").elements
    table = {symbol: cg.element_data(symbol)["oxidation_states"] for symbol in elements}
    path = tmp_path / "states.txt"
    path.write_text(
        "".join(f"{symbol} {' '.join(map(str, states))}\n" for symbol, states in table.items())
    )
    rng = np.random.default_rng(11)
    verdicts = []
    for _ in range(1500):
        chosen = rng.choice(elements, int(rng.integers(1, 5)), replace=False)
        formula = "".join(f"{symbol}{rng.integers(1, 5)}" for symbol in chosen)
        theirs = bool(smact_validity(formula, oxidation_states_set=str(path)))
        assert metrics.is_charge_balanced(formula) == theirs, formula
        verdicts.append(theirs)
    assert 100 < sum(verdicts) < 1400
    states: dict[str, list[int]] = {"O": [-1]}
    assert metrics.is_charge_balanced("NaO", oxidation_states=states)
    assert not metrics.is_charge_balanced("NaO")


def test_metals_are_smacts() -> None:
    """Oracle: SMACT's list, by alloys that have no ions: such compositions count as balanced."""
    import smact
    from ase.data import chemical_symbols

    for symbol in chemical_symbols[1:103]:
        none: dict[str, list[int]] = {symbol: [], "Cu": []}
        # SMACT leaves promethium out.
        if symbol not in ("Cu", "Pm"):
            balanced = metrics.is_charge_balanced(f"Cu{symbol}", oxidation_states=none)
            assert balanced == (symbol in smact.metals), symbol


def test_validity_looks_at_distances_cell_and_charges(
    random_structures: list[cg.Structure],
) -> None:
    """Oracles: distances and radii of pymatgen, its space groups."""
    from pymatgen.core import Element

    def radius(symbol: str) -> float:
        return float(Element(symbol).atomic_radius or 1.0)

    seen = set()
    for structure in random_structures:
        found = metrics.validity(structure)
        theirs = structure.to_pymatgen()
        matrix = theirs.distance_matrix
        limits = [
            [0.5 * (0.7 + radius(a) + radius(b)) for b in structure.elements]
            for a in structure.elements
        ]
        pairs = ~np.eye(len(structure), dtype=bool)
        assert found.distances == bool((matrix >= np.array(limits))[pairs].all())
        neighbours = [site.nn_distance for around in theirs.get_all_neighbors(8) for site in around]
        assert found.min_distance == pytest.approx(min(neighbours), abs=1e-9)
        assert found.space_group_number == cg.space_group(structure)[0]
        assert found.charge_balanced == metrics.is_charge_balanced(structure)
        assert found.valid == (found.charge_balanced and found.distances and found.plausible)
        seen.add(found.distances)
    assert seen == {True, False}
    salt = cg.Skeleton("C2").fill(["Rb", "Ca", "H", "H", "H"])
    assert metrics.validity(salt).valid
    assert "charge_balanced=True" in repr(metrics.validity(salt))
    huge = cg.Structure(np.eye(3) * 150, ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert not metrics.validity(huge).plausible
    dense = cg.Structure(np.eye(3) * 1.2, ["Na"], [[0, 0, 0]])
    assert not metrics.validity(dense).plausible


def test_diversity_is_an_entropy() -> None:
    """Oracle: the entropy of the histograms by numpy; identity: e^H of equal shares is their
    number."""
    rng = np.random.default_rng(2)
    structures = crystals(rng)
    found = metrics.diversity(structures)
    sites = [e for structure in structures for e in structure.elements]
    groups = [cg.space_group(structure)[0] for structure in structures]
    for values, entropy, count in (
        (sites, found.element_entropy, found.elements),
        (groups, found.space_group_entropy, found.space_groups),
    ):
        _, counts = np.unique(np.array(values), return_counts=True)
        shares = counts / counts.sum()
        assert entropy == pytest.approx(-(shares * np.log(shares)).sum())
        assert count == len(counts)
    assert found.element_coverage == pytest.approx(5 / 118)
    assert found.space_group_coverage == pytest.approx(found.space_groups / 230)
    equal = metrics.diversity([cg.Skeleton("C6").fill(["Na", "Cl", "F", "Li"])])
    assert equal.element_vendi == pytest.approx(4)
    assert equal.space_group_vendi == 1.0


def test_property_statistics_are_numpys() -> None:
    """Oracle: numpy's mean, standard deviation and quantiles."""
    rng = np.random.default_rng(4)
    values = rng.normal(2, 1, 37)
    found = metrics.property_statistics([*values, None, None], target=2.0, tolerance=0.5)
    assert (found.n, found.n_values, found.failures) == (39, 37, {"missing": 2})
    assert found.mean == pytest.approx(values.mean())
    assert found.standard_deviation == pytest.approx(values.std(ddof=1))
    assert found.quartiles == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]))
    assert (found.minimum, found.maximum) == (values.min(), values.max())
    assert found.mean_absolute_error == pytest.approx(abs(values - 2).mean())
    assert found.success_rate == (abs(values - 2) <= 0.5).sum() / 39
    assert found.closest == values[abs(values - 2).argmin()]
    failed = metrics.property_statistics([None])
    assert math.isnan(failed.mean) and failed.success_rate is None
    for bad in ({"tolerance": 1.0}, {"target": 1.0, "tolerance": -1.0}):
        with pytest.raises(ValueError, match="tolerance"):
            metrics.property_statistics([1.0], **bad)
    with pytest.raises(ValueError, match="0 values"):
        metrics.property_statistics([])
    with pytest.raises(ValueError, match="nan"):
        metrics.property_statistics([math.nan])


def test_evaluations_count_their_failures() -> None:
    def light_only(structure: cg.Structure, property: str) -> float:
        if "Cl" in structure.elements:
            raise cg.CalculationFailed("too heavy", code="scf_not_converged")
        return structure.density

    fillings = [["Na", "Li", "F", "Li"], ["Na", "Cl", "F", "Li"], ["Li", "Li", "F", "F"]]
    evaluations = [
        cg.evaluate(cg.Skeleton("C6").fill(filling), "density", calculator=light_only)
        for filling in fillings
    ]
    found = metrics.property_statistics(evaluations, target=evaluations[0].value, tolerance=1e-9)
    assert (found.n, found.failures) == (3, {"scf_not_converged": 1})
    assert found.success_rate == pytest.approx(1 / 3)


def test_the_report_counts_valid_ones(tmp_path: Path) -> None:
    """Identity: the rates are those of the single functions."""
    skeleton = cg.Skeleton("C2")
    good = skeleton.fill(["Rb", "Ca", "H", "H", "H"])
    other = skeleton.fill(["K", "Mg", "F", "F", "F"])
    bad = skeleton.fill(["Na", "O", "H", "H", "H"])
    assert [metrics.validity(s).charge_balanced for s in (good, other, bad)] == [True, True, False]
    found = metrics.report([good, good, other, bad], [other])
    assert (found.n, found.valid, found.unique) == (4, 0.75, 0.5)
    assert (found.novel, found.new_composition, found.unique_and_novel) == (0.5, 0.5, 0.25)
    assert found.diversity == metrics.diversity([good, good, other])
    assert metrics.report([good]).novel is None
    with pytest.raises(ValueError, match="0 structures"):
        metrics.report([])


def test_structures_are_written_for_other_benchmarks(tmp_path: Path) -> None:
    """Oracle: pymatgen reads them back as the same structures."""
    from pymatgen.core import Structure

    made = [s.structure for s in (cg.Skeleton("C6").fill(["Na", "Cl", "F", "Li"]),)] * 2
    assert metrics.write_structures(made, tmp_path / "cifs") == 2
    files = sorted((tmp_path / "cifs").iterdir())
    assert [file.name for file in files] == ["00000_NaLiClF.cif", "00001_NaLiClF.cif"]
    metrics.write_structures(made, tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = [Structure.from_file(str(file)) for file in files]
        read += [Structure.from_str(row["cif_string"], fmt="cif") for row in rows]
    assert len(read) == 4 and all(metrics.same_structure(made[0], one) for one in read)
    assert {path.name for path in tmp_path.iterdir()} == {"cifs", "all.csv"}
