"""Structures of pymatgen and ASE, imported only when used."""

from __future__ import annotations

import os
from typing import Any

from crystalgym._crystalgym import Calculator, Crystal, Skeleton, Structure
from crystalgym.errors import StructureError


def _missing(package: str, error: ImportError) -> ImportError:
    return ImportError(f"this needs {package}: pip install {package} ({error})")


def to_pymatgen(structure: Structure) -> Any:
    try:
        from pymatgen.core.lattice import Lattice
        from pymatgen.core.structure import Structure as PymatgenStructure
    except ImportError as error:
        raise _missing("pymatgen", error) from error
    return PymatgenStructure(Lattice(structure.lattice), structure.elements, structure.frac_coords)


def from_pymatgen(structure: Any) -> Structure:
    if not structure.is_ordered:
        raise StructureError(
            "the pymatgen structure has partly occupied sites, expected one element a site",
            code="disordered",
        )
    require_periodic("pymatgen structure", structure.lattice.pbc)
    symbols = [getattr(site.specie, "element", site.specie).symbol for site in structure]
    # Heavy hydrogen has the electrons of hydrogen; files with D are read the same way.
    symbols = ["H" if symbol in ("D", "T") else symbol for symbol in symbols]
    return Structure(structure.lattice.matrix, symbols, structure.frac_coords)


def to_ase(structure: Structure) -> Any:
    try:
        from ase import Atoms
    except ImportError as error:
        raise _missing("ase", error) from error
    return Atoms(
        structure.elements,
        scaled_positions=structure.frac_coords,
        cell=structure.lattice,
        pbc=True,
    )


def from_ase(atoms: Any) -> Structure:
    require_periodic("atoms", atoms.pbc)
    return Structure(
        atoms.cell.array,
        atoms.get_chemical_symbols(),
        atoms.get_scaled_positions(wrap=False),
    )


def require_periodic(what: str, boundaries: Any) -> None:
    pbc = list(map(bool, boundaries))
    if not all(pbc):
        raise StructureError(
            f"the boundaries of the {what} are periodic along {pbc}, expected all three",
            code="not_periodic",
            values={"pbc": pbc},
        )


def to_structure(value: Any) -> Structure:
    """A structure from whatever can be made into one."""
    if isinstance(value, Crystal):
        return value.structure
    if isinstance(value, (str, os.PathLike)):
        return Structure.from_file(value)
    # Subclasses may live anywhere; not all that is pymatgen's or ASE's is a crystal.
    if hasattr(value, "get_scaled_positions"):
        return from_ase(value)
    if hasattr(value, "frac_coords") and hasattr(value, "lattice"):
        return from_pymatgen(value)
    raise StructureError(
        f"{type(value).__name__} is no structure: expected a crystalgym or pymatgen Structure, "
        "ASE Atoms, or a path",
        code="not_a_structure",
        values={"type": type(value).__name__},
    )


def skeleton_of(structure: Structure, label: str, tolerance: float) -> Skeleton:
    """Makes a pickled skeleton again."""
    return Skeleton.from_structure(structure, label, tolerance=tolerance)


def calculator_of(function: Any, name: str, fingerprint: str | None) -> Calculator:
    """Makes a pickled calculator again."""
    return Calculator.from_function(function, name=name, fingerprint=fingerprint)
