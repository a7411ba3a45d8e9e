"""Crystals between this project and pymatgen and ASE. In the folder given: `N.json` is the crystal
{lattice, elements, frac_coords}, `N.vasp`, `N.xyz` and `N.cif` are our files of it. Both programs read
them and write files of their own, `theirs/N-…`; what each of them reads goes to standard output as
rows of [file, formula, volume, space group]."""

import json
import pathlib
import sys
import warnings
from collections import Counter

import ase.io
from ase import Atoms
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

warnings.simplefilter("ignore")
folder = pathlib.Path(sys.argv[1])
theirs = folder / "theirs"
theirs.mkdir()
rows = []


def row(path, structure):
    if isinstance(structure, Atoms):
        structure = AseAtomsAdaptor.get_structure(structure)
    number = SpacegroupAnalyzer(structure, symprec=0.01).get_space_group_number()
    counts = Counter(site.specie.symbol for site in structure)
    formula = "".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in sorted(counts.items()))
    rows.append([str(path.relative_to(folder)), formula, structure.volume, number])


def read_ase(path):
    formats = {".vasp": "vasp", ".xyz": "extxyz", ".cif": "cif"}
    return ase.io.read(path, format=formats[path.suffix])


def pymatgen_writes(n, structure):
    poscar = Poscar(structure)
    texts = {
        "direct.vasp": poscar.get_str(significant_figures=16),
        "cartesian.vasp": poscar.get_str(direct=False, significant_figures=16),
        "vasp4.vasp": poscar.get_str(vasp4_compatible=True, significant_figures=16),
        "to.json": structure.to_json(),
        "to.cif": str(CifWriter(structure)),
        "symprec.cif": str(CifWriter(structure, symprec=0.01)),
    }
    oxidised = structure.copy()
    oxidised.add_oxidation_state_by_guess()
    texts["oxidised.json"] = json.dumps(oxidised.as_dict(verbosity=1))
    for name, text in texts.items():
        path = theirs / f"{n}-pymatgen-{name}"
        path.write_text(text)
        row(path, Structure.from_file(path) if path.suffix != ".vasp" else Poscar.from_str(text).structure)


def ase_writes(n, atoms):
    ways = {
        "direct.vasp": {"format": "vasp", "direct": True},
        "cartesian.vasp": {"format": "vasp", "direct": False},
        "vasp4.vasp": {"format": "vasp", "vasp5": False, "sort": True},
        "sorted.vasp": {"format": "vasp", "sort": True},
        "plain.xyz": {"format": "extxyz"},
        "columns.xyz": {"format": "extxyz", "columns": ["numbers", "positions", "symbols"]},
        "plain.cif": {"format": "cif"},
    }
    for name, options in ways.items():
        path = theirs / f"{n}-ase-{name}"
        ase.io.write(path, atoms, **options)
        row(path, read_ase(path))


for path in sorted(folder.glob("*.json")):
    crystal = json.loads(path.read_text())
    structure = Structure(crystal["lattice"], crystal["elements"], crystal["frac_coords"])
    row(path, structure)
    for suffix in (".vasp", ".xyz", ".cif"):
        ours = path.with_suffix(suffix)
        if ours.exists():
            row(ours, read_ase(ours))
            if suffix != ".xyz":
                row(ours, Structure.from_file(ours) if suffix == ".cif" else Poscar.from_file(ours).structure)
    pymatgen_writes(path.stem, structure)
    ase_writes(
        path.stem,
        Atoms(
            crystal["elements"],
            cell=crystal["lattice"],
            scaled_positions=crystal["frac_coords"],
            pbc=True,
        ),
    )
json.dump(rows, sys.stdout)
