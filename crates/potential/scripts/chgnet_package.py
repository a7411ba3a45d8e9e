"""What the package chgnet says of structures, in f32 as shipped and in f64.

Usage: python chgnet_package.py STRUCTURES.json ANSWERS.json

STRUCTURES: a list of {"lattice": 3 rows, "species": [...], "coords": fractional}.
ANSWERS: for each, {"f32": {...}, "f64": {...}}, or {"error": text}.
"""

import json
import sys
import warnings

import torch
import chgnet.graph.converter
import chgnet.graph.crystalgraph
import chgnet.model.model
from chgnet.model import CHGNet
from pymatgen.core import Lattice, Structure

warnings.filterwarnings("ignore")
torch.set_num_threads(1)


def predict(model, structure):
    answer = model.predict_structure(
        structure, return_site_energies=True, return_atom_feas=True, return_crystal_feas=True
    )
    return {key: answer[key].tolist() for key in answer}


def main():
    with open(sys.argv[1]) as file:
        inputs = json.load(file)
    structures = [
        Structure(Lattice(s["lattice"]), s["species"], s["coords"]) for s in inputs
    ]
    answers = [{} for _ in structures]
    for name, dtype in [("f32", torch.float32), ("f64", torch.float64)]:
        for module in (chgnet.graph.converter, chgnet.graph.crystalgraph, chgnet.model.model):
            module.datatype = dtype
        model = CHGNet.load(use_device="cpu", verbose=False).to(dtype)
        # Its input is made in f32 whatever the rest is.
        model.composition_model.float()
        for answer, structure in zip(answers, structures):
            try:
                answer[name] = predict(model, structure)
            except Exception as error:
                answer["error"] = f"{type(error).__name__}: {error}"
    with open(sys.argv[2], "w") as file:
        json.dump(answers, file)


main()
