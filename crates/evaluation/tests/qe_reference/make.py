#!/usr/bin/env python3
"""Reference values of pw.x for four crystals: writes the decks, runs them, collects the numbers.

The bulk modulus of ev.x is recorded for comparison only: away from equilibrium ev.x stops before
its fit has converged.

Usage: make.py FOLDER_OF_UPF_FILES SCRATCH_FOLDER      (needs pw.x and ev.x; half an hour)

The decks are written here from Bravais-lattice indices (ibrav 1, 2, 3), apart from the project's
own writer, and are kept in decks/; reference.json holds what pw.x printed, and its version.
"""
import json
import math
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
BOHR = 0.529177210903
# Masses and valence electrons of the pseudopotentials (SSSP 1.3.0 PBE efficiency).
SPECIES = {"H": (1.008, 1), "Li": (6.94, 3), "F": (18.998403162, 7), "Na": (22.98976928, 9),
           "P": (30.973761998, 5), "Cl": (35.45, 7), "Ca": (40.078, 10), "Rb": (85.4678, 9)}
BCC_SITES = [(0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5)]
CRYSTALS = {
    # name: (ibrav, cubic edge in Angstrom, k divisions, [(element, position in units of the edge)])
    "C2-RbCaH3": (1, 4.544346, 5,
                  [("Rb", (0, 0, 0)), ("Ca", (0.5, 0.5, 0.5)), ("H", (0.5, 0, 0.5)),
                   ("H", (0.5, 0.5, 0)), ("H", (0, 0.5, 0.5))]),
    "C4-LiPNa2": (2, 4.22388963 * math.sqrt(2), 6,
                  [("Li", (0, 0, 0)), ("P", (0.5, 0.5, 0.5)), ("Na", (0.75, 0.75, 0.75)),
                   ("Na", (0.25, 0.25, 0.25))]),
    "C6-PNa3": (3, 5.16929871 * 2 / math.sqrt(3), 6, list(zip(["P", "Na", "Na", "Na"], BCC_SITES))),
    "C6-LiClFNa": (3, 5.16929871 * 2 / math.sqrt(3), 6,
                   list(zip(["Li", "Cl", "F", "Na"], BCC_SITES))),
}
FACTORS = [0.98, 0.99, 1.0, 1.01, 1.02]


def deck(name, kind, factor, pseudo_dir):
    ibrav, edge, divisions, atoms = CRYSTALS[name]
    edge *= factor ** (1 / 3)
    occupied = sum(SPECIES[element][1] for element, _ in atoms) / 2
    smeared = "occupations = 'smearing', smearing = 'gaussian', degauss = 0.001"
    bands = math.ceil(occupied) + 4
    if kind == "gap":
        occupations = "occupations = 'fixed'"
    else:
        occupations = smeared
        bands = max(bands, math.ceil(1.2 * occupied))
    # The curvature of five energies needs them far more exactly than a gap does.
    threshold = "1.0d-9" if kind == "volume" else "1.0d-6"
    calculation = "calculation = 'vc-relax', nstep = 1" if kind == "relax" else "calculation = 'scf'"
    elements = list(dict.fromkeys(element for element, _ in atoms))
    lines = [
        f"&CONTROL\n  {calculation}",
        "  tstress = .true., tprnfor = .true., verbosity = 'high', disk_io = 'none'",
        f"  outdir = './', pseudo_dir = '{pseudo_dir}'\n/",
        f"&SYSTEM\n  ibrav = {ibrav}, celldm(1) = {edge / BOHR!r}",
        f"  nat = {len(atoms)}, ntyp = {len(elements)}, nspin = 1, nbnd = {bands}",
        f"  ecutwfc = 50.0, ecutrho = 400.0\n  {occupations}\n/",
        f"&ELECTRONS\n  electron_maxstep = 300, mixing_beta = 0.7, conv_thr = {threshold}\n/",
        "&IONS\n/\n&CELL\n/" if kind == "relax" else "",
        "ATOMIC_SPECIES",
        *(f"  {element} {SPECIES[element][0]} {element}.upf" for element in elements),
        "ATOMIC_POSITIONS alat",
        *(f"  {element} {x} {y} {z}" for element, (x, y, z) in atoms),
        f"K_POINTS automatic\n  {divisions} {divisions} {divisions} 0 0 0",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def run(name, kind, factor, pseudo_dir, scratch):
    label = f"{name}-{kind}" + (f"-{factor}" if kind == "volume" else "")
    (HERE / "decks").mkdir(exist_ok=True)
    (HERE / "decks" / f"{label}.in").write_text(deck(name, kind, factor, "./pseudo"))
    output = scratch / f"{label}.out"
    if not output.exists():
        folder = scratch / label
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "deck.in").write_text(deck(name, kind, factor, pseudo_dir))
        partial = scratch / f"{label}.partial"
        with partial.open("w") as stdout:
            subprocess.run(["pw.x", "-in", "deck.in"], cwd=folder, stdout=stdout, check=False,
                           env={**os.environ, "OMP_NUM_THREADS": "1"})
        partial.rename(output)
    return output.read_text()


def number(pattern, text):
    found = re.search(pattern, text)
    return float(found.group(1)) if found else None


def bulk_modulus(volumes, energies, scratch):
    rows = "".join(f"{volume:.8f} {energy:.8f}\n" for volume, energy in zip(volumes, energies))
    (scratch / "rows").write_text(rows)
    subprocess.run(["ev.x"], input="Ang\nnoncubic\n4\nrows\nfitted\n", text=True, cwd=scratch,
                   stdout=subprocess.DEVNULL, check=True)
    return number(r"k0 =\s*([\d.]+) GPa", (scratch / "fitted").read_text())


def main():
    pseudo_dir, scratch = sys.argv[1], pathlib.Path(sys.argv[2])
    scratch.mkdir(parents=True, exist_ok=True)
    results = {}
    for name in CRYSTALS:
        gap = run(name, "gap", 1.0, pseudo_dir, scratch)
        levels = re.search(r"unoccupied level \(ev\):\s+(-?[\d.]+)\s+(-?[\d.]+)", gap)
        result = results[name] = {
            "pw_x": re.search(r"PWSCF v\.(\S+)", gap).group(1),
            "energy_ry": number(r"!\s+total energy\s+=\s+(-[\d.]+)", gap),
            "homo_ev": float(levels.group(1)),
            "lumo_ev": float(levels.group(2)),
            "symmetry_operations": int(number(r"(\d+) Sym\. Ops", gap)),
            "k_points": int(number(r"number of k points=\s*(\d+)", gap)),
        }
        if name == "C6-LiClFNa":
            continue
        relax = run(name, "relax", 1.0, pseudo_dir, scratch)
        result["density_g_cm3"] = number(r"density =\s*([\d.]+)", relax)
        result["pressure_kbar"] = number(r"P=\s*(-?[\d.]+)", relax)
        runs = [run(name, "volume", factor, pseudo_dir, scratch) for factor in FACTORS]
        energies = [number(r"!\s+total energy\s+=\s+(-[\d.]+)", text) for text in runs]
        volume = number(r"unit-cell volume\s+=\s*([\d.]+)", relax) * BOHR**3
        result["energies_ry"] = energies
        result["ev_x_bulk_modulus_gpa"] = bulk_modulus([f * volume for f in FACTORS], energies, scratch)
    (HERE / "reference.json").write_text(json.dumps(results, indent=1) + "\n")


main()
