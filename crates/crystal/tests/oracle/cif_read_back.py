"""What pymatgen and ASE read in the CIF files of a folder: formula, density and space group by spglib.

Usage: cif_read_back.py FOLDER. Prints one JSON object, of lists by file name.
"""
import json
import sys
import warnings
from pathlib import Path

import spglib
from ase.io import read as ase_read
from pymatgen.core import Structure
from pymatgen.io.cif import CifParser

warnings.filterwarnings("ignore")


def of(structure):
    cell = (structure.lattice.matrix, structure.frac_coords, [site.specie.Z for site in structure])
    number = spglib.get_symmetry_dataset(cell, symprec=0.01).number
    return {
        "formula": "".join(
            f"{symbol}{int(count) if count > 1 else ''}"
            for symbol, count in sorted(structure.composition.get_el_amt_dict().items())
        ),
        "density": float(structure.density),
        "number": number,
    }


def main():
    found = {}
    for path in sorted(Path(sys.argv[1]).glob("*.cif")):
        atoms = ase_read(path)
        by_ase = Structure(atoms.cell[:], atoms.get_chemical_symbols(), atoms.get_scaled_positions())
        by_pymatgen = CifParser(path).parse_structures(primitive=False)[0]
        found[path.name] = [of(by_pymatgen), of(by_ase)]
    print(json.dumps(found))


main()
