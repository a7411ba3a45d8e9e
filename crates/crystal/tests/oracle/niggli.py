"""Niggli cells by spglib: lattices on standard input, reduced ones (null where it gives up) on standard
output, both as JSON lists of three vectors."""

import json
import sys
import warnings

import numpy as np
import spglib

warnings.simplefilter("ignore")


def reduce(lattice):
    volume = abs(np.linalg.det(lattice))
    try:
        # pymatgen's tolerance, in the units that spglib takes it in.
        reduced = spglib.niggli_reduce(np.array(lattice), eps=1e-5 * volume ** (1 / 3))
    except Exception:
        return None
    return None if reduced is None else reduced.tolist()


json.dump([reduce(lattice) for lattice in json.load(sys.stdin)], sys.stdout)
