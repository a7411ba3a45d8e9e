"""Writes pymatgen's word on cells, graphs, space groups and k-meshes as JSON to standard output.

Run: python pymatgen_oracle.py > pymatgen.json          (pymatgen 2025.1.9)

The structures are the seven benchmark crystals as listed and 50 random ones. Each case holds its
own input, so that the reader needs no random numbers. CrystalNN is called with the arguments of the
published environment; elements are all alike, as on an empty skeleton.
"""

import json
import random
import sys
import warnings

from pymatgen.analysis.graphs import StructureGraph
from pymatgen.analysis.local_env import CrystalNN
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp.inputs import Kpoints
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

warnings.filterwarnings("ignore")

BENCHMARK = {
    "C1": (4.274799, 90.0, [[0, 0, 0], [0.5, 0.5, 0.5], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
    "C2": (4.544346, 90.0, [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0], [0, 0.5, 0.5]]),
    "C3": (5.193789, 90.0, [[0, 0.5, 0.74995], [0.5, 0.25005, 0], [0.74995, 0, 0.5], [0, 0.5, 0.25005],
                            [0.5, 0.74995, 0], [0.25005, 0, 0.5], [0.5, 0.5, 0.5], [0, 0, 0]]),
    "C4": (4.22388963, 60.0, [[0, 0, 0], [0.5, 0.5, 0.5], [0.75, 0.75, 0.75], [0.25, 0.25, 0.25]]),
    "C5": (4.768475, 90.0, [[0.5, 0, 0.5], [0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 0], [0.5, 0.5, 0.5]]),
    "C6": (5.16929871, 109.47122063, [[0.5, 0, 0.5], [0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 0]]),
    "C7": (6.686428, 90.0, [[0, 0, 0], [0.233903, 0.766097, 0.766097], [0.766097, 0.233903, 0.766097],
                            [0.766097, 0.766097, 0.233903], [0.233903, 0.233903, 0.233903]]),
}


def random_structure(generator):
    """Cells of any shape with one to six sites at least 1.2 Å apart."""
    while True:
        lengths = [round(generator.uniform(3, 9), 6) for _ in range(3)]
        angles = [round(generator.uniform(55, 120), 6) for _ in range(3)]
        try:
            lattice = Lattice.from_parameters(*lengths, *angles)
        except ValueError:
            continue
        if not lattice.volume > 0.3 * lengths[0] * lengths[1] * lengths[2]:
            continue
        sites = [[round(generator.random(), 6) for _ in range(3)] for _ in range(generator.randint(1, 6))]
        structure = Structure(lattice, ["H"] * len(sites), sites)
        if structure.is_valid(1.2):
            return lengths, angles, sites


def case(label, lengths, angles, sites):
    lattice = Lattice.from_parameters(*lengths, *angles)
    structure = Structure(lattice, ["H"] * len(sites), sites)
    niggli = lattice.get_niggli_reduced_lattice()
    strategy = CrystalNN(distance_cutoffs=None, x_diff_weight=-1, porous_adjustment=False)
    graph = StructureGraph.from_local_env_strategy(structure, strategy)
    edges = sorted([i, j, list(data["to_jimage"])] for i, j, data in graph.graph.edges(data=True))
    # pymatgen's own default of 5 degrees calls triclinic one-site cells monoclinic; -1 is spglib's,
    # which derives the angle from symprec.
    symmetry = SpacegroupAnalyzer(structure, symprec=0.01, angle_tolerance=-1)
    operations = symmetry.get_symmetry_dataset()
    kpoints = {str(kppa): list(Kpoints.automatic_density(structure, kppa).kpts[0]) for kppa in (100, 1000, 5000)}
    return {
        "label": label,
        "lengths": lengths,
        "angles": angles,
        "sites": sites,
        "niggli": [round(x, 9) for x in niggli.lengths + niggli.angles],
        "edges": [[int(i), int(j), [int(x) for x in image]] for i, j, image in edges],
        "space_group": int(symmetry.get_space_group_number()),
        "operations": len(operations.rotations),
        "kpoints": {kppa: [int(x) for x in mesh] for kppa, mesh in kpoints.items()},
    }


cases = [case(label, [a] * 3, [angle] * 3, sites) for label, (a, angle, sites) in BENCHMARK.items()]
generator = random.Random(20250109)
for number in range(50):
    cases.append(case(f"random {number}", *random_structure(generator)))
json.dump(cases, sys.stdout, separators=(",", ":"))
sys.stdout.write("\n")
