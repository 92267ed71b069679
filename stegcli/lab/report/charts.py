"""Charts drawn with matplotlib, as pictures that a page can embed."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from stegcli.lab.extras import load

__all__ = ["Curve", "curves", "histogram"]

# Okabe and Ito's eight colours, which colour-blind people can distinguish, and two more.
_COLOURS: Final = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9"),
    *("#e69f00", "#000000", "#999999", "#7a5195", "#8c6d31"),
)
_STYLE: Final = {
    "font.family": ["DejaVu Sans"],  # matplotlib's own: the same letters on every machine
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "svg.hashsalt": "stegcli",  # the same chart always gives the same bytes
}
_SIZE: Final = (7.4, 3.2)  # inches
_BINS: Final = 24
_FEW: Final = 20
"""Up to this many points of a line are marked individually."""


@dataclass(frozen=True)
class Curve:
    """A line in a chart: points (x, y), and intervals of y if they are known."""

    name: str
    points: Sequence[tuple[float, float]]
    intervals: Sequence[tuple[float, float]] = ()


def curves(x_title: str, y_title: str, lines: Sequence[Curve], *, log_x: bool = False) -> str:
    """Return a chart of lines with points and intervals as a data: URI; "" if there are no points."""
    lines = [line for line in lines if line.points]

    def draw(axes: Any) -> None:  # noqa: ANN401 - matplotlib's
        for line in lines:
            x, y = np.array(line.points, dtype=float).T
            errors = np.abs(np.array(line.intervals).T - y) if line.intervals else None
            mark = "o" if len(x) <= _FEW else None
            axes.errorbar(x, y, errors, marker=mark, markersize=4, elinewidth=1, label=line.name)
        if log_x:
            places = sorted({x for line in lines for x, _ in line.points})
            axes.set_xscale("log", base=2)
            axes.set_xticks(places, [f"{place:g}" for place in places])

    return _chart(x_title, y_title, draw) if lines else ""


def histogram(x_title: str, samples: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Return the distributions of several sets of values as step lines over common bins; as `curves`."""
    every = [value for _, values in samples for value in values]

    def draw(axes: Any) -> None:  # noqa: ANN401
        edges = np.histogram_bin_edges(every, _BINS)
        for name, values in samples:
            axes.stairs(np.histogram(values, edges)[0], edges, linewidth=1.5, label=name)
        axes.locator_params(axis="y", integer=True)

    return _chart(x_title, "pairs", draw) if every else ""


def _chart(x_title: str, y_title: str, draw: Any) -> str:  # noqa: ANN401
    matplotlib = load("matplotlib", "a page with charts")
    figures = load("matplotlib.figure", "a page with charts")
    file = io.BytesIO()
    with matplotlib.rc_context({**_STYLE, "axes.prop_cycle": matplotlib.cycler(color=_COLOURS)}):
        figure = figures.Figure(_SIZE, layout="constrained")  # without pyplot: no window, no global state
        axes = figure.subplots()
        draw(axes)
        axes.set(xlabel=x_title, ylabel=y_title)
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), borderaxespad=0)
        figure.savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode("ascii")
