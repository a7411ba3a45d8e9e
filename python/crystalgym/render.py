"""Crystals as text and as pictures, with NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crystalgym._crystalgym import Evaluation, Skeleton, Task, element_data
from crystalgym._letters import bitmap

Image = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float64]

SIZE = 400
_SUPERSAMPLING = 2
_BACKGROUND = 255.0
_DEFAULT_RADIUS_ANG = 1.2
_ON_FACE = 1e-3
"""How close to a face of the cell a site is shown on the opposite one as well."""
_LETTER = 4
"""Pixels of the larger picture for one of a letter: letters are 14 pixels high."""


def as_text(
    task: Task,
    skeleton: Skeleton,
    elements: Sequence[str | None],
    focus: int,
    evaluation: Evaluation | None,
) -> str:
    """A table of the sites, the one in focus marked."""
    lines = [
        f"{task.property_name} → {aim(task)} {task.unit} on {skeleton.label} "
        f"({skeleton.space_group_symbol})",
        "   site  element  x        y        z",
    ]
    for site, (element, (x, y, z)) in enumerate(zip(elements, skeleton.frac_coords)):
        mark = ">" if site == focus and element is None else " "
        lines.append(f" {mark} {site:<4}  {element or '·':<7}  {x:<7.4f}  {y:<7.4f}  {z:<7.4f}")
    if evaluation is not None and None not in elements:
        if evaluation.value is not None:
            result = f"{evaluation.value:.5g} {evaluation.unit}"
        else:
            result = f"failed: {evaluation.failure}"
        lines.append(f"   {evaluation.crystal.formula}: {result} ({evaluation.calculator})")
    return "\n".join(lines) + "\n"


def aim(task: Task) -> str:
    """The target as it is read: ``3`` or ``1.4 to 1.6``."""
    if task.tolerance > 0:
        return f"{task.target - task.tolerance:g} to {task.target + task.tolerance:g}"
    return f"{task.target:g}"


def as_image(
    task: Task,
    skeleton: Skeleton,
    elements: Sequence[str | None],
    focus: int,
    evaluation: Evaluation | None,
) -> Image:
    """The cell as :func:`picture` draws it; the task above, the formula and its value below."""
    head = f"{task.property_name} {aim(task)} {task.unit}"
    return picture(skeleton, elements, focus, head, _result(elements, evaluation))


def picture(
    skeleton: Skeleton,
    elements: Sequence[str | None],
    focus: int = -1,
    head: str = "",
    foot: str = "",
) -> Image:
    """The cell from a corner: edges, bonds, atoms with their symbols, empty sites grey, the one in
    focus red; a line of text above and one below."""
    size = SIZE * _SUPERSAMPLING
    lattice = skeleton.lattice
    view = _rotation()
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
    centre = np.full(3, 0.5) @ lattice
    seen = (corners @ lattice - centre) @ view.T
    scale = 0.33 * size / np.abs(seen[:, :2]).max()

    def project(points: Vectors) -> Vectors:
        moved = (points - centre) @ view.T
        moved[:, 0] = size / 2 + scale * moved[:, 0]
        moved[:, 1] = size / 2 - scale * moved[:, 1]
        return moved

    canvas = np.full((size, size, 3), _BACKGROUND)
    ends = project(corners @ lattice)
    for first in range(8):
        for second in range(first + 1, 8):
            if np.abs(corners[first] - corners[second]).sum() == 1:
                _line(canvas, ends[first], ends[second], 2, 150)
    sites, points = _on_all_faces(skeleton.frac_coords)
    atoms = points @ lattice
    centres = project(atoms)
    pieces: list[tuple[float, int, int]] = [(z, i, -1) for i, z in enumerate(centres[:, 2])]
    pieces += [
        ((centres[i, 2] + centres[j, 2]) / 2, i, j) for i, j in _bonds(skeleton, sites, atoms)
    ]
    for _, i, j in sorted(pieces):
        if j >= 0:
            _line(canvas, centres[i], centres[j], 8, 185)
            continue
        site = int(sites[i])
        element = elements[site]
        if element is None:
            colour = np.array([220.0, 60, 60]) if site == focus else np.array([170.0, 170, 170])
            radius = 0.4
        else:
            data = element_data(element)
            colour = np.array(list(bytes.fromhex(data["colour"][1:])), dtype=float)
            radius = 0.55 * (data["covalent_radius_ang"] or _DEFAULT_RADIUS_ANG)
        _ball(canvas, centres[i], scale * radius, colour)
        if element is not None:
            dark = colour @ [0.299, 0.587, 0.114] < 120
            _text(canvas, element, (centres[i, 0], centres[i, 1]), 255.0 if dark else 20.0)
    for text, height, grey in ((head, 30, 60.0), (foot, size - 30, 20.0)):
        if text:
            _text(canvas, text, (size / 2, height), grey)
    smaller = canvas.reshape(SIZE, _SUPERSAMPLING, SIZE, _SUPERSAMPLING, 3).mean(axis=(1, 3))
    image: Image = smaller.round().astype(np.uint8)
    return image


def _result(elements: Sequence[str | None], evaluation: Evaluation | None) -> str:
    """What is written below the picture."""
    filled = len(elements) - list(elements).count(None)
    if evaluation is None or filled < len(elements):
        return f"{filled} / {len(elements)} sites"
    formula = evaluation.crystal.formula
    if evaluation.value is None:
        return f"{formula}: {evaluation.failure}"
    return f"{formula}: {evaluation.value:.4g} {evaluation.unit}"


def _on_all_faces(frac_coords: Vectors) -> tuple[npt.NDArray[np.int64], Vectors]:
    """Sites with their images on the faces, edges and corners of the cell."""
    sites: list[int] = []
    points: list[Vectors] = []
    for site, frac in enumerate(frac_coords):
        wrapped = frac % 1.0
        wrapped[wrapped > 1 - _ON_FACE] = 0.0
        images = [wrapped]
        for axis in np.flatnonzero(wrapped < _ON_FACE):
            images += [image + np.eye(3)[axis] for image in images]
        points += images
        sites += [site] * len(images)
    return np.array(sites), np.array(points)


def _bonds(
    skeleton: Skeleton, sites: npt.NDArray[np.int64], atoms: Vectors
) -> list[tuple[int, int]]:
    """Pairs of drawn atoms that the graph joins: as far apart as a bond of their sites is long."""
    graph = skeleton.graph
    lengths: dict[tuple[int, int], list[float]] = {}
    for source, target, length in zip(graph.sources, graph.targets, graph.distances):
        lengths.setdefault((int(source), int(target)), []).append(float(length))
    pairs: list[tuple[int, int]] = []
    for i in range(len(atoms)):
        apart = np.linalg.norm(atoms[i + 1 :] - atoms[i], axis=1)
        for j, distance in enumerate(apart, i + 1):
            of_pair = lengths.get((int(sites[i]), int(sites[j])), [])
            if any(abs(distance - length) < 1e-3 for length in of_pair):
                pairs.append((i, j))
    return pairs


def _rotation() -> Vectors:
    """Turned by 25° about the vertical, then tilted by 20° towards the viewer."""
    turn, tilt = np.deg2rad([25.0, 20.0])
    about_z = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    # The picture's axes: x to the right, z upwards, y into the page.
    upright = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]]
    )
    product: Vectors = about_x @ upright @ about_z
    return product


def _line(canvas: Vectors, start: Vectors, end: Vectors, width: int, grey: float) -> None:
    steps = int(np.hypot(*(end - start)[:2])) + 1
    points = np.linspace(start[:2], end[:2], steps).round().astype(int) - width // 2
    inside = ((points >= 0) & (points < len(canvas) - width)).all(axis=1)
    for dx in range(width):
        for dy in range(width):
            canvas[points[inside, 1] + dy, points[inside, 0] + dx] = grey


def _text(canvas: Vectors, text: str, centre: tuple[float, float], grey: float) -> None:
    """A line of text around its centre, as large as fits the picture."""
    for size in (_LETTER, _LETTER - 1, _LETTER - 2):
        letters = bitmap(text, size)
        if letters.shape[1] <= len(canvas):
            break
    letters = letters[:, : len(canvas)]
    left, top = int(centre[0] - letters.shape[1] / 2), int(centre[1] - letters.shape[0] / 2)
    left = min(max(left, 0), len(canvas) - letters.shape[1])
    top = min(max(top, 0), len(canvas) - letters.shape[0])
    canvas[top : top + letters.shape[0], left : left + letters.shape[1]][letters] = grey


def _ball(canvas: Vectors, centre: Vectors, radius: float, colour: Vectors) -> None:
    """A sphere lit from the upper left, drawn in its own square of pixels."""
    low = np.maximum(np.floor(centre[:2] - radius).astype(int), 0)
    high = np.minimum(np.ceil(centre[:2] + radius).astype(int) + 1, len(canvas))
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]]
    dx, dy = (x - centre[0]) / radius, (y - centre[1]) / radius
    square = dx**2 + dy**2
    inside = square <= 1
    height = np.sqrt(np.clip(1 - square, 0, 1))
    light = np.clip(0.45 - 0.35 * dx - 0.35 * dy + 0.4 * height, 0.25, 1.1)
    shaded = np.clip(colour * light[..., None], 0, 255)
    shaded[square > 0.9] *= 0.6
    canvas[low[1] : high[1], low[0] : high[0]][inside] = shaded[inside]
