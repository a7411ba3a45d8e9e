"""CPU time of the package chgnet on structures, one thread, as `predict_structure` is called.

Usage: python chgnet_speed.py STRUCTURES.json ANSWERS.json

STRUCTURES as in chgnet_package.py; ANSWERS: structures per second of CPU time, for energies alone
and with forces, stress and moments.
"""

import json
import sys
import time
import warnings

import torch
from chgnet.model import CHGNet
from pymatgen.core import Lattice, Structure

warnings.filterwarnings("ignore")
torch.set_num_threads(1)


def rate(model, structures, task):
    for structure in structures[:4]:
        model.predict_structure(structure, task=task)
    start = time.process_time()
    for structure in structures:
        model.predict_structure(structure, task=task, return_crystal_feas=True)
    return len(structures) / (time.process_time() - start)


with open(sys.argv[1]) as file:
    inputs = json.load(file)
structures = [Structure(Lattice(s["lattice"]), s["species"], s["coords"]) for s in inputs]
model = CHGNet.load(use_device="cpu", verbose=False)
batch = structures * 2
rates = {"energy": rate(model, batch, "e"), "derivatives": rate(model, batch, "efsm")}
start = time.process_time()
model.predict_structure(structures * 2, task="e", batch_size=16)
rates["energy_batched"] = len(batch) / (time.process_time() - start)
start = time.process_time()
model.predict_structure(structures * 2, task="efsm", batch_size=16)
rates["derivatives_batched"] = len(batch) / (time.process_time() - start)
with open(sys.argv[2], "w") as file:
    json.dump(rates, file)
