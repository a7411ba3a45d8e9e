"""Elements for chosen sites of a structure of one's own: halide double perovskites by their density.

Run: python 04_search.py [--calculator native --property band_gap --target 1.5]
"""

from __future__ import annotations

import argparse

import crystalgym as cg

HALF = 11.25 / 2
X, Y = 0.251, 0.749


def elpasolite() -> cg.Structure:
    """Cs2AgBiBr6 in its primitive cell; any CIF or POSCAR file would do as well."""
    bromine = [[Y, X, X], [X, Y, Y], [X, Y, X], [Y, X, Y], [X, X, Y], [Y, Y, X]]
    return cg.Structure(
        [[0, HALF, HALF], [HALF, 0, HALF], [HALF, HALF, 0]],
        ["Cs", "Cs", "Ag", "Bi"] + ["Br"] * 6,
        [[0.25] * 3, [0.75] * 3, [0.5] * 3, [0.0] * 3, *bromine],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calculator", default="rigid")
    parser.add_argument("--property", default="density")
    parser.add_argument("--target", default="4..4.5")
    arguments = parser.parse_args()
    result = cg.search(
        elpasolite(),
        {"A": ["Cs", "Rb"], "B": ["Ag", "Na"], "B2": ["Bi", "Sb"], "X": ["Cl", "Br", "I"]},
        tie=["A", "X"],
        charge_balanced=True,
        property=arguments.property,
        target=arguments.target,
        calculator=arguments.calculator,
    )
    for rank, found in enumerate(result.findings[:5], 1):
        print(rank, found.formula, found.value, found.distance, found.warnings)


if __name__ == "__main__":
    main()
