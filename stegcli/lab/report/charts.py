"""Charts as inline SVG: no script, no file beside the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np

__all__ = ["COLOURS", "Curve", "curves", "histogram"]

# Okabe and Ito's eight colours, which the colour-blind tell apart, and two more.
COLOURS: Final = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#e69f00",
    "#000000",
    "#999999",
    "#7a5195",
    "#8c6d31",
)

_WIDTH, _HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 170, 14, 44
_BINS = 24


@dataclass(frozen=True)
class Curve:
    """A line of a chart: points (x, y), and y's interval where it is known."""

    name: str
    points: Sequence[tuple[float, float]]
    intervals: Sequence[tuple[float, float]] = ()


def curves(title: str, x_title: str, y_title: str, lines: Sequence[Curve], *, log_x: bool = False) -> str:
    """A chart of several lines, each with its points and intervals."""
    lines = [line for line in lines if line.points]
    if not lines:
        return ""
    xs = [_place(x, log_x) for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    ys += [y for line in lines for interval in line.intervals for y in interval]
    frame = _Frame(_widened(min(xs), max(xs)), _widened(min(ys), max(ys)))
    parts = [
        _axes(frame, title, x_title, y_title, sorted({x for line in lines for x, _ in line.points}), log_x)
    ]
    for number, line in enumerate(lines):
        parts.append(_curve(frame, line, COLOURS[number % len(COLOURS)], number, log_x))
    return _svg(title, parts)


def histogram(title: str, x_title: str, samples: Sequence[tuple[str, Sequence[float]]]) -> str:
    """How the values of each name are spread, as step lines over common bins."""
    every = [value for _, values in samples for value in values]
    if not every:
        return ""
    edges = np.linspace(*_widened(min(every), max(every)), _BINS + 1)
    counts = [np.histogram(values, edges)[0] for _, values in samples]
    frame = _Frame((edges[0], edges[-1]), (0.0, float(max(count.max() for count in counts)) * 1.05 or 1.0))
    parts = [_axes(frame, title, x_title, "pairs", [float(x) for x in edges[:: _BINS // 6]], log_x=False)]
    for number, ((name, _), count) in enumerate(zip(samples, counts, strict=True)):
        steps = [(x, y) for i, y in enumerate(count) for x in (edges[i], edges[i + 1])]
        steps = [(x, float(count[i // 2])) for i, (x, _) in enumerate(steps)]
        path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in steps)
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(_legend(name, colour, number))
    return _svg(title, parts)


@dataclass(frozen=True)
class _Frame:
    """Values to places."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.x_range
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)


def _place(value: float, log: bool) -> float:
    return math.log2(value) if log else value


def _widened(low: float, high: float) -> tuple[float, float]:
    margin = (high - low) * 0.04 or max(abs(high), 1.0) * 0.02
    return low - margin, high + margin


def _svg(title: str, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" aria-label="{escape(title)}">'
    return head + "".join(parts) + "</svg>"


def _axes(
    frame: _Frame, title: str, x_title: str, y_title: str, x_values: Sequence[float], log_x: bool
) -> str:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [f'<rect x="{_LEFT}" y="{_TOP}" width="{right - _LEFT}" height="{bottom - _TOP}" class="frame"/>']
    for value in np.linspace(*frame.y_range, 6):
        y = frame.y(float(value))
        parts.append(f'<line x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    for value in x_values:
        x = frame.x(_place(value, log_x))
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{value:.4g}</text>')
    middle = (_LEFT + right) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x_title)}</text>')
    parts.append(
        f'<text transform="rotate(-90)" x="{-(_TOP + bottom) / 2}" y="14" text-anchor="middle">'
        f"{escape(y_title)}</text>"
    )
    return "".join(parts)


def _curve(frame: _Frame, line: Curve, colour: str, number: int, log_x: bool) -> str:
    places = [(frame.x(_place(x, log_x)), frame.y(y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
    for (x, _), (low, high) in zip(places, line.intervals, strict=False):
        ends = f'y1="{frame.y(low):.1f}" y2="{frame.y(high):.1f}"'
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" {ends} stroke="{colour}"/>')
    return "".join(parts) + _legend(line.name, colour, number)


def _legend(name: str, colour: str, number: int) -> str:
    x, y = _WIDTH - _RIGHT + 12, _TOP + 14 + 17 * number
    return (
        f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
        f'<text x="{x + 15}" y="{y}">{escape(name)}</text>'
    )
