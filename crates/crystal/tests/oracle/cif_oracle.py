"""Writes CIF files of crystals in every space group and setting, and what other programs read in them.

Usage: cif_oracle.py FOLDER. For each file one entry of FOLDER/expected.json: its composition, density
and space group as pymatgen, ASE or spglib have it, and all sites with their positions.

The crystals are made of spglib's table of 530 settings: two or three sites, general and special, in a
cell that has the symmetry, with no two atoms closer than 0.9 Å.
"""
import json
import random
import sys
import warnings
from pathlib import Path

import numpy as np
import pymatgen.symmetry
import spglib
from ase import Atoms
from ase.io import read as ase_read
from ase.io import write as ase_write
from pymatgen.core import Lattice, Structure
from pymatgen.core.operations import SymmOp
from pymatgen.io.cif import CifParser, CifWriter

warnings.filterwarnings("ignore")
FOLDER = Path(sys.argv[1])
ELEMENTS = ["Na", "Cl", "Ti", "O", "Si", "K"]
SPECIAL = [[0, 0, 0], [0.25, 0.25, 0.25], [0.125, 0.125, 0.125], [0, 0, 0.5], [1 / 3, 2 / 3, 0.25],
           [0.5, 0.5, 0.5], [0, 0.25, 0.125], [0.375, 0.375, 0.375], [0.5, 0, 0.25]]
TWO_ORIGINS = {48, 50, 59, 68, 70, 85, 86, 88, 125, 126, 129, 130, 133, 134, 137, 138, 141, 142, 201,
               203, 222, 224, 227, 228}
# Cmmb and Cccb, which the table names Cmme and Ccce as it does the standard settings.
OTHER_SETTINGS_OF_ONE_NAME = {317, 324, 325}
random.seed(3)


def setting(hall):
    """Rotations, translations and what spglib says of a setting."""
    operations = spglib.get_symmetry_from_database(hall)
    return operations["rotations"], operations["translations"], spglib.get_spacegroup_type(hall)


def cell_of(rotations, atoms):
    """A cell that the rotations keep: the mean of a triclinic metric, scaled to room for the atoms."""
    metric = np.array([[81.0, 7, 5], [7, 100, 9], [5, 9, 130]])
    mean = np.mean([r.T @ metric @ r for r in rotations], axis=0)
    mean *= (14.0 * atoms / np.sqrt(np.linalg.det(mean))) ** (2 / 3)
    lengths = np.sqrt(np.diag(mean))
    angles = [np.degrees(np.arccos(mean[i, j] / lengths[i] / lengths[j]))
              for i, j in ((1, 2), (0, 2), (0, 1))]
    return [round(float(x), 5) for x in lengths], [round(float(x), 4) for x in angles]


def orbit(rotations, translations, x):
    images = []
    for r, t in zip(rotations, translations):
        y = (r @ x + t) % 1.0
        delta = [np.abs((y - z + 0.5) % 1 - 0.5).max() for z in images]
        if not delta or min(delta) > 1e-5:
            images.append(y)
    return images


def crystal(hall, tries=60):
    """Listed sites and the whole crystal of a setting, or None where no room is found."""
    rotations, translations, kind = setting(hall)
    for _ in range(tries):
        listed = [random.choice(SPECIAL), [round(random.uniform(0.05, 0.45), 4) for _ in range(3)]]
        if len(rotations) > 96:
            listed = [random.choice(SPECIAL[:6]), [0.25, round(random.uniform(0.05, 0.2), 4), 0.25]]
        symbols = random.sample(ELEMENTS, 2)
        orbits = [orbit(rotations, translations, np.array(x)) for x in listed]
        lengths, angles = cell_of(rotations, sum(map(len, orbits)))
        species = [s for s, images in zip(symbols, orbits) for _ in images]
        structure = Structure(Lattice.from_parameters(*lengths, *angles), species,
                              [x for images in orbits for x in images])
        distances = structure.distance_matrix + 9 * np.eye(len(structure))
        if distances.min() > 0.9:
            return listed, symbols, structure, kind
    return None


def hand_made(structure, listed, symbols, lines):
    """A file that states its symmetry by these lines alone."""
    text = "data_x\n"
    for axis, x in zip("abc", structure.lattice.abc):
        text += f"_cell_length_{axis} {x:.5f}\n"
    for axis, x in zip(("alpha", "beta", "gamma"), structure.lattice.angles):
        text += f"_cell_angle_{axis} {x:.4f}\n"
    text += lines + "loop_\n_atom_site_label\n_atom_site_type_symbol\n"
    text += "".join(f"_atom_site_fract_{axis}\n" for axis in "xyz")
    for symbol, x in zip(symbols, listed):
        text += f"{symbol}1 {symbol} " + " ".join(f"{v:.5f}" for v in x) + "\n"
    return text


def entry(structure, source, may_be_refused=False, number=None):
    if number is None:
        cell = (structure.lattice.matrix, structure.frac_coords, [s.specie.Z for s in structure])
        number = spglib.get_symmetry_dataset(cell, symprec=0.01).number
    return {
        "source": source,
        "elements": [site.specie.symbol for site in structure],
        "frac_coords": structure.frac_coords.tolist(),
        "density": float(structure.density),
        "number": number,
        "may_be_refused": may_be_refused,
    }


def of_ase(atoms):
    return Structure(atoms.cell[:], atoms.get_chemical_symbols(), atoms.get_scaled_positions())


def main():
    expected = {}

    def put(name, text, *rest, **options):
        (FOLDER / name).write_text(text)
        expected[name] = entry(*rest, **options)

    for hall in range(1, 531):
        made = crystal(hall)
        if made is None:
            continue
        listed, symbols, structure, kind = made
        full = kind.international_full.split("=")[0].strip()
        short = kind.international_short
        number = kind.number
        unit = structure.composition
        reduced, count = unit.get_reduced_composition_and_factor()
        formula = " ".join(f"{e.symbol}{int(n)}" for e, n in reduced.items())
        facts = f"_chemical_formula_sum '{formula}'\n_cell_formula_units_Z {int(count)}\n"
        made_by = "spglib's table"
        # Only Hall; only the name in full; only the name, with what decides the origin.
        put(f"{hall:03}_hall.cif", hand_made(structure, listed, symbols,
            f"_space_group_name_Hall '{kind.hall_symbol}'\n"), structure, made_by)
        open_setting = number in TWO_ORIGINS or number in (67, 68)
        if hall not in OTHER_SETTINGS_OF_ONE_NAME:
            put(f"{hall:03}_name.cif", hand_made(structure, listed, symbols,
                f"_symmetry_space_group_name_H-M '{full}'\n"), structure, made_by,
                may_be_refused=open_setting)
        if number in TWO_ORIGINS and hall not in OTHER_SETTINGS_OF_ONE_NAME:
            put(f"{hall:03}_facts.cif", hand_made(structure, listed, symbols,
                f"_space_group_name_H-M_alt '{full}'\n" + facts), structure, made_by,
                may_be_refused=open_setting)
        if number in TWO_ORIGINS and kind.choice in ("1", "2"):
            put(f"{hall:03}_choice.cif", hand_made(structure, listed, symbols,
                f"_space_group_name_H-M_alt '{short} :{kind.choice}'\n"), structure, made_by)
        if hall % 3 == 0 and number not in TWO_ORIGINS and kind.choice in ("", "b", "b1", "H"):
            put(f"{hall:03}_number.cif", hand_made(structure, listed, symbols,
                f"_space_group_IT_number {number}\n"), structure, made_by)
        # pymatgen: P 1, and with the symmetry of the standard setting, as itself reads it.
        if hall % 2 == 0:
            put(f"{hall:03}_pymatgen.cif", str(CifWriter(structure)), structure, "pymatgen")
        if hall % 2 == 1 and len(structure) <= 96:
            text = str(CifWriter(structure, symprec=0.01))
            seen = CifParser.from_str(text).parse_structures(primitive=False)[0]
            put(f"{hall:03}_pymatgen_symmetry.cif", text, seen, "pymatgen with symprec")
        if hall % 3 == 1:
            atoms = Atoms(symbols=[s.specie.symbol for s in structure], pbc=True,
                          cell=structure.lattice.matrix, scaled_positions=structure.frac_coords)
            name = FOLDER / f"{hall:03}_ase.cif"
            ase_write(name, atoms)
            expected[name.name] = entry(of_ase(ase_read(name)), "ASE")
    # Only the name, as the Crystallography Open Database spells it, against its own operations.
    table = Path(pymatgen.symmetry.__file__).parent / "symm_ops.json"
    for index, group in enumerate(json.loads(table.read_text())):
        name = group["universal_h_m"]
        if "(" in name or "," in group["hall"]:
            continue
        operations = [SymmOp.from_xyz_str(xyz) for xyz in group["symops"]]
        rotations = [np.rint(operation.rotation_matrix) for operation in operations]
        for _ in range(200):
            x = [round(random.uniform(0.03, 0.47), 4) for _ in range(3)]
            images = [(operation.operate(x)) % 1 for operation in operations]
            lengths, angles = cell_of(rotations, len(images))
            structure = Structure(Lattice.from_parameters(*lengths, *angles),
                                  ["Si"] * len(images), images)
            if (structure.distance_matrix + 9 * np.eye(len(images))).min() > 0.6:
                break
        else:
            continue
        # The symmetry of one orbit can be higher than its group's.
        text = hand_made(structure, [x], ["Si"], f"_space_group_name_H-M_alt '{name}'\n")
        put(f"{index:03}_database.cif", text, structure, f"COD, {name}", number=group["number"],
            may_be_refused=group["number"] == 68)

    (FOLDER / "expected.json").write_text(json.dumps(expected))


main()
