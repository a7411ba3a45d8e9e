"""Reads structure files with pymatgen or ASE: a JSON list of [path, program] on standard input, a list
of {lattice, elements, frac_coords} on standard output; null where the program refuses the file."""

import json
import sys
import warnings

import ase.io
from pymatgen.core import Structure
from pymatgen.io.vasp import Poscar

ASE_FORMATS = {"vasp": "vasp", "xyz": "extxyz", "cif": "cif"}
warnings.simplefilter("ignore")


def read(path, program):
    extension = path.rsplit(".", 1)[1]
    if program == "ase":
        atoms = ase.io.read(path, index=0, format=ASE_FORMATS[extension])
        assert all(atoms.pbc), path
        lattice, symbols = atoms.cell.array, atoms.get_chemical_symbols()
        coords = atoms.get_scaled_positions(wrap=False)
    else:
        if extension == "vasp":
            structure = Poscar.from_str(open(path).read()).structure
        else:
            structure = Structure.from_file(path)
        assert structure.is_ordered and all(structure.lattice.pbc), path
        lattice, symbols = structure.lattice.matrix, [site.specie.symbol for site in structure]
        coords = structure.frac_coords
    return {"lattice": lattice.tolist(), "elements": symbols, "frac_coords": coords.tolist()}


def read_or_refuse(path, program):
    try:
        return read(path, program)
    except Exception as error:
        print(f"{program} refuses {path}: {error!r}", file=sys.stderr)
        return None


json.dump([read_or_refuse(*item) for item in json.load(sys.stdin)], sys.stdout)
