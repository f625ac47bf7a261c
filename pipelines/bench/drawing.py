"""Plots of ratios, and what contenders make, as PNG."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np


def draw_ratios(shown: dict[str, dict[str, float]], titles: dict[str, str], path: Path) -> None:
    """Bars of ratios to each contender, by row, on a logarithmic axis; a row is a panel with a title."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1 + 0.26 * sum(map(len, shown.values()))), layout="constrained")
    heights = [len(found) for found in shown.values()]
    panels = figure.subplots(
        len(shown), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for axes, (name, found) in zip(panels[:, 0], shown.items(), strict=True):
        others = {who: ratio for who, ratio in found.items() if who != "augrng"}
        bars = axes.barh(list(others), list(others.values()), color="tab:blue")
        axes.bar_label(bars, [f" {ratio:.2f}" for ratio in others.values()], fontsize=8)
        axes.axvline(1, color="black", linewidth=1)
        axes.set_xscale("log")
        axes.set_title(titles[name], fontsize=9, loc="left")
        axes.tick_params(labelsize=8)
        axes.invert_yaxis()
        axes.margins(x=0.15)
    panels[-1, 0].set_xlabel("times as fast as the peer (right of 1: augrng is faster)", fontsize=9)
    figure.savefig(path, dpi=110)


def draw_pictures(pictures: dict[str, np.ndarray], order: Iterable[str], path: Path) -> None:
    """An output of each contender ("row.contender"), a row a line, in this order."""
    from matplotlib.figure import Figure

    rows = [name for name in order if any(key.split(".", 1)[0] == name for key in pictures)]
    across = max(sum(key.split(".", 1)[0] == name for key in pictures) for name in rows)
    figure = Figure(figsize=(1.7 * across, 1.9 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), across, squeeze=False)
    for axes in panels.flat:
        axes.axis("off")
    for line, name in zip(panels, rows, strict=True):
        of_row = [key for key in sorted(pictures) if key.split(".", 1)[0] == name]
        for axes, key in zip(line, of_row, strict=False):
            axes.imshow(pictures[key])
            axes.set_title(f"{name}\n{key.split('.', 1)[1]}", fontsize=6)
    figure.savefig(path, dpi=110)
