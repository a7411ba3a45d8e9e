"""Crystals as text and as pictures, with NumPy alone."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crystalgym._crystalgym import Evaluation, Skeleton, Task, element_data

Image = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float64]

SIZE = 400
_SUPERSAMPLING = 2
_BACKGROUND = 255.0
_DEFAULT_RADIUS_ANG = 1.2
_GOLDEN_RATIO = 0.618033988749895


def as_text(
    task: Task,
    skeleton: Skeleton,
    elements: Sequence[str | None],
    focus: int,
    evaluation: Evaluation | None,
) -> str:
    """A table of the sites, the one in focus marked."""
    lines = [
        f"{task.property_name} → {task.target:g} {task.unit} on {skeleton.label} "
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


def as_image(skeleton: Skeleton, elements: Sequence[str | None], focus: int) -> Image:
    """The cell from a corner: edges, atoms, empty sites grey, the one in focus red."""
    size = SIZE * _SUPERSAMPLING
    lattice = skeleton.lattice
    view = _rotation()
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
    centre = np.full(3, 0.5) @ lattice
    seen = (corners @ lattice - centre) @ view.T
    scale = 0.36 * size / np.abs(seen[:, :2]).max()

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
                _line(canvas, ends[first], ends[second])
    centres = project(skeleton.frac_coords @ lattice)
    for site in np.argsort(centres[:, 2]):
        element = elements[site]
        if element is None:
            colour = np.array([220.0, 60, 60]) if site == focus else np.array([170.0, 170, 170])
            radius = 0.4
        else:
            data = element_data(element)
            colour = _colour(data["atomic_number"])
            radius = 0.55 * (data["covalent_radius_ang"] or _DEFAULT_RADIUS_ANG)
        _ball(canvas, centres[site], scale * radius, colour)
    smaller = canvas.reshape(SIZE, _SUPERSAMPLING, SIZE, _SUPERSAMPLING, 3).mean(axis=(1, 3))
    image: Image = smaller.round().astype(np.uint8)
    return image


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


def _colour(atomic_number: int) -> Vectors:
    """Hues a golden ratio apart, so that neighbours in the table look different."""
    hue = (atomic_number * _GOLDEN_RATIO) % 1.0
    return 255 * np.array(colorsys.hsv_to_rgb(hue, 0.55, 0.9))


def _line(canvas: Vectors, start: Vectors, end: Vectors) -> None:
    steps = int(np.hypot(*(end - start)[:2])) + 1
    points = np.linspace(start[:2], end[:2], steps).round().astype(int)
    inside = ((points >= 0) & (points < len(canvas) - 1)).all(axis=1)
    for dx in (0, 1):
        for dy in (0, 1):
            canvas[points[inside, 1] + dy, points[inside, 0] + dx] = 120


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
