"""Hull energies by pymatgen's PhaseDiagram.

Usage: python phase_diagram.py QUESTIONS.json ANSWERS.json

QUESTIONS: a list of {"phases": [[formula, eV/atom], ...], "at": [formula, ...]}; ANSWERS: for each
a list of the hull's energies in eV/atom.
"""

import json
import sys

from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

with open(sys.argv[1]) as file:
    questions = json.load(file)
answers = []
for question in questions:
    entries = []
    for formula, energy in question["phases"]:
        composition = Composition(formula)
        entries.append(PDEntry(composition, energy * composition.num_atoms))
    diagram = PhaseDiagram(entries)
    answers.append(
        [
            diagram.get_hull_energy_per_atom(Composition(formula))
            for formula in question["at"]
        ]
    )
with open(sys.argv[2], "w") as file:
    json.dump(answers, file)
