"""Structures, graphs, symmetry and k-meshes against pymatgen and ASE."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crystalgym as cg


def all_structures(random_structures: list[cg.Structure]) -> list[cg.Structure]:
    filled = [
        skeleton.fill(list("CNOFPSBI"[: len(skeleton)])) for skeleton in cg.Skeleton.builtins()
    ]
    return [crystal.structure for crystal in filled] + random_structures


def test_round_trips_keep_every_bit(random_structures: list[cg.Structure], tmp_path: Path) -> None:
    for structure in all_structures(random_structures):
        for format in ("cif", "poscar", "extxyz", "json"):
            again = cg.Structure.from_text(structure.to_text(format), format)
            assert np.allclose(again.frac_coords, structure.frac_coords, rtol=0, atol=1e-14)
            assert Counter(again.elements) == Counter(structure.elements)
        path = tmp_path / "structure.json"
        structure.to(path)
        assert cg.Structure.from_file(path) == structure
        assert pickle.loads(pickle.dumps(structure)) == structure
        assert copy.deepcopy(structure) == structure


def test_pymatgen_round_trip_keeps_every_bit(random_structures: list[cg.Structure]) -> None:
    for structure in all_structures(random_structures):
        assert cg.Structure.from_pymatgen(structure.to_pymatgen()) == structure


def test_ase_round_trip(random_structures: list[cg.Structure]) -> None:
    for structure in all_structures(random_structures):
        atoms = structure.to_ase()
        assert np.array_equal(atoms.cell.array, structure.lattice)
        # ASE keeps Cartesian positions: fractional ones come back up to a solve of 3 by 3.
        again = cg.Structure.from_ase(atoms)
        assert np.allclose(again.frac_coords, structure.frac_coords, rtol=0, atol=1e-13)
        assert np.allclose(again.cart_coords, atoms.positions, rtol=0, atol=1e-12)


def test_other_libraries_read_our_files(
    random_structures: list[cg.Structure], tmp_path: Path
) -> None:
    """Oracle: the readers of pymatgen and ASE."""
    import ase.io
    from pymatgen.core import Structure

    for structure in all_structures(random_structures)[:20]:
        structure.to(tmp_path / "a.extxyz")
        atoms = ase.io.read(tmp_path / "a.extxyz")
        assert atoms.get_chemical_symbols() == structure.elements
        assert np.allclose(atoms.positions, structure.cart_coords, rtol=0, atol=1e-12)
        structure.to(tmp_path / "a.vasp")
        theirs = Structure.from_file(str(tmp_path / "a.vasp"))
        assert np.allclose(theirs.lattice.matrix, structure.lattice, rtol=0, atol=1e-12)
        assert Counter(str(s) for s in theirs.species) == Counter(structure.elements)


Edges = list[tuple[int, int, float]]


def pymatgen_edges(structure: Any) -> Edges:
    """Directed bonds as (source, target, length), as StructureGraph of CrystalNN has them."""
    from pymatgen.analysis.graphs import StructureGraph
    from pymatgen.analysis.local_env import CrystalNN

    strategy = CrystalNN(distance_cutoffs=None, x_diff_weight=-1, porous_adjustment=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = StructureGraph.from_local_env_strategy(structure, strategy)
    edges: Edges = []
    for first, second, data in graph.graph.edges(data=True):
        length = structure.get_distance(first, second, jimage=data["to_jimage"])
        edges += [(first, second, length), (second, first, length)]
    return sorted(edges)


def assert_same_edges(graph: cg.CrystalGraph, theirs: Edges) -> None:
    ours = sorted(zip(graph.sources.tolist(), graph.targets.tolist(), graph.distances.tolist()))
    assert [edge[:2] for edge in ours] == [edge[:2] for edge in theirs]
    assert np.allclose([edge[2] for edge in ours], [edge[2] for edge in theirs], rtol=0, atol=1e-9)


def test_graphs_equal_pymatgens(random_structures: list[cg.Structure]) -> None:
    for skeleton in cg.Skeleton.builtins():
        structure = skeleton.fill(["Si"] * len(skeleton)).structure
        assert_same_edges(skeleton.graph, pymatgen_edges(structure.to_pymatgen()))
    for structure in random_structures:
        alike = cg.Structure(structure.lattice, ["Si"] * len(structure), structure.frac_coords)
        assert_same_edges(structure.graph(), pymatgen_edges(alike.to_pymatgen()))


def test_bond_vectors_are_as_long_as_bonds() -> None:
    for skeleton in cg.Skeleton.builtins():
        graph = skeleton.graph
        assert np.allclose(np.linalg.norm(graph.vectors, axis=1), graph.distances, atol=1e-12)
        cart = skeleton.frac_coords @ skeleton.lattice
        shifted = cart[graph.sources] + graph.images @ skeleton.lattice - cart[graph.targets]
        assert np.allclose(shifted, graph.vectors, atol=1e-12)


def test_niggli_cells_equal_pymatgens(random_structures: list[cg.Structure]) -> None:
    for structure in all_structures(random_structures):
        reduced, transformation = cg.niggli_reduce(structure)
        theirs = structure.to_pymatgen().lattice.get_niggli_reduced_lattice()
        assert np.allclose(reduced.cell_parameters, theirs.parameters, atol=1e-6), structure
        assert np.allclose(transformation.T @ structure.lattice, reduced.lattice, atol=1e-9)
        ours, original = reduced.to_pymatgen(), structure.to_pymatgen()
        nearest = sorted(ours.distance_matrix.ravel())
        assert np.allclose(nearest, sorted(original.distance_matrix.ravel()), atol=1e-6)


def test_space_groups_equal_spglibs(random_structures: list[cg.Structure]) -> None:
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for structure in all_structures(random_structures):
            theirs = SpacegroupAnalyzer(structure.to_pymatgen(), symprec=0.01)
            assert cg.space_group(structure)[0] == theirs.get_space_group_number(), structure


def test_k_meshes_equal_pymatgens(random_structures: list[cg.Structure]) -> None:
    from pymatgen.io.vasp import Kpoints

    for structure in all_structures(random_structures):
        for density in (200, 1000, 4000):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs = Kpoints.automatic_density(structure.to_pymatgen(), density).kpts[0]
            assert cg.k_mesh(structure, density) == tuple(theirs), structure


def test_every_kind_of_structure_is_taken(tmp_path: Path) -> None:
    crystal = cg.Skeleton("C6").fill(["Na", "Cl", "F", "Li"])
    structure = crystal.structure
    path = tmp_path / "crystal.cif"
    structure.to(path)
    forms = [structure, crystal, structure.to_pymatgen(), structure.to_ase(), path, str(path)]
    values = {round(cg.evaluate(f, "density", calculator="rigid").value or 0, 12) for f in forms}
    assert len(values) == 1


def test_open_boundaries_are_refused_at_every_door() -> None:
    from pymatgen.core import Lattice, Structure

    slab = Structure(Lattice(np.eye(3) * 4, pbc=(True, True, False)), ["Na"], [[0, 0, 0]])
    atoms = rock_salt().to_ase()
    for make in (lambda: slab, lambda: slab.copy()):
        with pytest.raises(cg.StructureError, match=r"\[True, True, False\]") as error:
            cg.Structure.from_pymatgen(make())
        assert error.value.code == "not_periodic"
    with pytest.raises(cg.StructureError, match="boundary open"):
        cg.Structure.from_text(slab.to_json(), "json")
    for pbc in (False, (True, True, False), (0, 1, 1)):
        atoms.pbc = pbc
        with pytest.raises(cg.StructureError, match="expected all three"):
            cg.Structure.from_ase(atoms)
        with pytest.raises(cg.StructureError, match="expected all three"):
            cg.evaluate(atoms, "density", calculator="rigid")


def test_one_of_several_is_picked(tmp_path: Path) -> None:
    """Oracle: what ASE reads under the same number."""
    import ase.io

    images = [rock_salt().to_ase() for _ in range(3)]
    for number, atoms in enumerate(images):
        atoms.set_cell(atoms.cell * (1 + 0.1 * number), scale_atoms=True)
    path = tmp_path / "run.xyz"
    ase.io.write(path, images, format="extxyz")
    with pytest.raises(cg.StructureError, match="3 structures, expected one") as error:
        cg.Structure.from_file(path)
    assert (error.value.code, error.value.values["count"]) == ("several_structures", 3)
    for number in range(3):
        theirs = ase.io.read(f"{path}@{number}", format="extxyz").get_volume()
        for ours in (
            cg.Structure.from_file(path, index=number),
            cg.Structure.from_file(f"{path}@{number}"),
            cg.Structure.from_text(path.read_text(), "extxyz", index=number),
        ):
            assert ours.volume == pytest.approx(theirs)
    with pytest.raises(cg.StructureError, match="no structure 3: the last of 3 is 2"):
        cg.Structure.from_file(path, index=3)
    with pytest.raises(ValueError, match="index is -1"):
        cg.Structure.from_file(path, index=-1)


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")
def test_left_handed_cells_keep_their_hand() -> None:
    """Oracle: spglib through pymatgen; the mirror image of P3_121 is P3_221."""
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    a, c, x = 4.458, 5.925, 0.2636
    lattice = np.array([[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, c]])
    frac = np.array([[x, 0, 1 / 3], [0, x, 2 / 3], [-x, -x, 0]])
    right = cg.Structure(lattice, ["Te"] * 3, frac)
    left = cg.Structure(lattice[[1, 0, 2]], ["Te"] * 3, frac[:, [1, 0, 2]])
    for structure in (right, left):
        forms = [structure, *(form() for form in (structure.to_pymatgen, structure.to_ase))]
        for form in forms:
            skeleton = cg.Skeleton.from_structure(form)
            crystal = skeleton.fill(["Te"] * 3)
            assert skeleton.source["space_group_number"] == 152
            assert skeleton.space_group_number == 152
            assert cg.space_group(form)[0] == 152
            theirs = SpacegroupAnalyzer(crystal.structure.to_pymatgen(), symprec=0.01)
            assert theirs.get_space_group_number() == 152
            again = pickle.loads(pickle.dumps(crystal))
            assert cg.space_group(again)[0] == 152


def test_skeletons_and_crystals_are_picklable() -> None:
    for skeleton in [*cg.Skeleton.builtins(), cg.Skeleton.from_structure(rock_salt(), "rock-salt")]:
        again = pickle.loads(pickle.dumps(skeleton))
        assert again.label == skeleton.label
        assert np.array_equal(again.frac_coords, skeleton.frac_coords)
        crystal = skeleton.fill(["Na"] * len(skeleton))
        assert pickle.loads(pickle.dumps(crystal)).structure == crystal.structure


def rock_salt() -> cg.Structure:
    half = 5.64 / 2
    lattice = [[0, half, half], [half, 0, half], [half, half, 0]]
    return cg.Structure(lattice, ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_errors_carry_code_and_values(tmp_path: Path) -> None:
    with pytest.raises(cg.StructureError, match="'Xx'") as error:
        cg.Skeleton("C2").fill(["Xx"] * 5)
    assert error.value.code == "unknown_element"
    assert error.value.values == {"symbol": "Xx"}
    with pytest.raises(cg.StructureError) as error:
        cg.Skeleton("C2").fill(["Na"] * 4)
    assert error.value.values == {"skeleton": "C2", "expected": 5, "found": 4}
    path = tmp_path / "bad.vasp"
    path.write_text("a\n1.0\n1 0\n")
    with pytest.raises(cg.StructureError) as error:
        cg.Structure.from_file(path)
    assert (error.value.code, error.value.values["path"]) == ("parse", str(path))
    again = pickle.loads(pickle.dumps(error.value))
    assert (str(again), again.code, again.values) == (
        str(error.value),
        error.value.code,
        error.value.values,
    )
    with pytest.raises(cg.StructureError) as error:
        cg.evaluate(object(), "density", calculator="rigid")
    assert error.value.code == "not_a_structure"
    from pymatgen.core import Composition, Molecule

    for thing in (Molecule(["H"], [[0, 0, 0]]), Composition("NaCl"), None, 3):
        with pytest.raises(cg.StructureError, match="is no structure"):
            cg.k_mesh(thing)
    for elements, places, message in (
        ([], np.zeros((0, 3)), "no site"),
        (["Na", "Cl"], [[0, 0, 0], [1, 2, 3.01]], "sites 0 and 1 are 0.0400 Å apart"),
        (["Na"], [[1e308, 0, 0]], "site 0 is at"),
    ):
        with pytest.raises(cg.StructureError, match=message):
            cg.Structure(np.eye(3) * 4, elements, places)
    for length, message in ((0.01, "from its own image"), (1e-3, "Å long"), (1e308, "Å long")):
        with pytest.raises(cg.StructureError, match=message):
            cg.Structure(np.eye(3) * length, ["Na"], [[0, 0, 0]])
    with pytest.raises(cg.StructureError, match="tolerance is -1"):
        cg.space_group(rock_salt(), tolerance=-1.0)
    with pytest.raises(cg.StructureError, match="site 1 is at"):
        cg.Structure(np.eye(3) * 4, ["Na", "Cl"], [[0, 0, 0], [0, np.nan, 0]])
    for density in (0.0, -1.0, float("nan"), 1e300):
        with pytest.raises(ValueError, match="points_per_reciprocal_atom"):
            cg.k_mesh(rock_salt(), density)
    with pytest.raises(IndexError, match="start is 9"):
        cg.Skeleton("C2").graph.breadth_first(9)
    with pytest.raises(cg.StructureError, match="expected 3"):
        cg.Structure([[1, 0], [0, 1]], ["Na"], [[0, 0, 0]])
    with pytest.raises(cg.StructureError, match="positions"):
        cg.Structure(np.eye(3) * 4, ["Na"], [[0, 0, 0], [0.5, 0.5, 0.5]])
