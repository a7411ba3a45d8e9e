"""Relaxations by ASE with the package chgnet.

Usage: python ase_relaxation.py STRUCTURES.json ANSWERS.json

STRUCTURES as in chgnet_package.py; ANSWERS: for each the energy in eV and the lattice after FIRE on
ASE's FrechetCellFilter, and how many steps that took.
"""

import json
import sys
import warnings

import torch
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE
from chgnet.model import CHGNet
from chgnet.model.dynamics import CHGNetCalculator

warnings.filterwarnings("ignore")
torch.set_num_threads(1)

with open(sys.argv[1]) as file:
    inputs = json.load(file)
calculator = CHGNetCalculator(CHGNet.load(use_device="cpu", verbose=False), use_device="cpu")
answers = []
for item in inputs:
    atoms = Atoms(
        item["species"], cell=item["lattice"], scaled_positions=item["coords"], pbc=True
    )
    atoms.calc = calculator
    search = FIRE(FrechetCellFilter(atoms), logfile=None)
    search.run(fmax=0.005, steps=500)
    answers.append(
        {
            "energy": float(atoms.get_potential_energy()),
            "lengths": atoms.cell.cellpar()[:3].tolist(),
            "volume": float(atoms.get_volume()),
            "steps": search.get_number_of_steps(),
        }
    )
with open(sys.argv[2], "w") as file:
    json.dump(answers, file)
