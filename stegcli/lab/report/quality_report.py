"""Reports of quality as tables, curves over the spread, histograms and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from stegcli.lab.data.pairs import Pair
from stegcli.lab.quality.evaluate import Evaluation, Line
from stegcli.lab.quality.measure import FIGURES, Measured
from stegcli.lab.report.charts import Curve, curves, histogram
from stegcli.lab.report.page import render
from stegcli.lab.report.pictures import amplified, data_uri
from stegcli.lab.report.tables import SIMULATED_MARK, Table, interval, markdown, markdown_page
from stegcli.lab.statistics import LOSSLESS_DB

__all__ = ["html", "markdown_report", "summary_table"]

_DIGITS: Final = {"db": 2, "ssim": 4, "share": 4, "bpp": 2, "seconds": 2}
_BRIEF: Final = (
    *("stego_psnr_db", "stego_ssim", "revealed_psnr_db", "revealed_ssim"),
    *("written_bpp", "hide_seconds"),
)
_CHARTED: Final = ("stego_psnr_db", "revealed_psnr_db", "revealed_ssim")
_SPREAD: Final = "cover pixels per pixel of the secret"

Charts = list[tuple[str, str]]


def markdown_report(evaluation: Evaluation) -> str:
    """Return the evaluation as a Markdown page."""
    details = [f"## {_told(line)}\n\n{markdown(_detail_table(line))}" for line in evaluation.lines]
    return markdown_page(
        _heading(evaluation), [markdown(summary_table(evaluation)), _notes(evaluation), *details]
    )


def html(evaluation: Evaluation, sheets: Sequence[tuple[Pair, list[tuple[str, Measured]]]]) -> str:
    """Return the evaluation as an HTML page.

    Args:
        evaluation: the evaluation.
        sheets: pairs to show, each with the hiders' results.
    """
    facts = [f"{name}: {identity}" for name, identity in evaluation.settings["hiders"].items()]
    facts += [f"pair: {name} (SHA-256 {digest[:16]})" for name, digest in evaluation.pairs]
    return render(
        "quality",
        heading=_heading(evaluation),
        notes=_notes(evaluation),
        summary=summary_table(evaluation),
        sections=list(_sections(evaluation)),
        sheets=[
            (pair.name, [(hider, _figures(pair, each)) for hider, each in results])
            for pair, results in sheets
        ],
        details=[(_told(line), _detail_table(line)) for line in evaluation.lines],
        facts=facts,
    )


def summary_table(evaluation: Evaluation) -> Table:
    """Return means with their 95 % intervals, as an overview."""
    head = ["", "spread", *(FIGURES[name] for name in _BRIEF)]
    return [
        head,
        *(
            [_label(line), str(line.spread), *(_with_interval(line, name) for name in _BRIEF)]
            for line in evaluation.lines
        ),
    ]


def _detail_table(line: Line) -> Table:
    """Return every figure of one hider at one spread."""
    rows = [
        [FIGURES[name], *(f"{value:.{_digits(name)}f}" for value in (s.mean, s.low, s.high, s.median, s.p5))]
        for name, s in line.summaries.items()
    ]
    return [["", "mean", "from", "to", "median", "5th percentile"], *rows]


def _heading(evaluation: Evaluation) -> str:
    """Return a line that says what was measured."""
    source, favor, seed = (evaluation.settings[name] for name in ("source", "favor", "seed"))
    return f"{len(evaluation.pairs)} pairs of {source}, favor {favor}, seed {seed}"


def _notes(evaluation: Evaluation) -> str:
    """Return how to read the tables."""
    text = (
        "All figures are of 8-bit files, written and read again. In brackets: 95 % interval of the mean by "
        f"bootstrap over pairs. A PSNR of equal pictures counts as {LOSSLESS_DB:.0f} dB in a mean. Spread: "
        f"{_SPREAD}."
    )
    if any(line.simulated for line in evaluation.lines):
        text += (
            f" {SIMULATED_MARK} Ideal coder with this program's HILL costs, simulated: real ones write a few "
            "per cent more changes, and the stego cannot be read."
        )
    return text


def _sections(evaluation: Evaluation) -> Iterator[tuple[str, Charts]]:
    """Yield titles, with the charts below them."""
    spreads = evaluation.settings["spreads"]
    if len(spreads) > 1:
        yield (
            "Quality against spread",
            [(FIGURES[name], _against_spread(evaluation, name)) for name in _CHARTED],
        )
    for spread in spreads:
        title = f"How the pairs differ, spread {spread}"
        yield title, [(FIGURES[name], _histogram(evaluation, name, spread)) for name in _CHARTED]


def _against_spread(evaluation: Evaluation, name: str) -> str:
    by_hider: dict[str, list[Line]] = {}
    for line in evaluation.lines:
        if name in line.summaries:
            by_hider.setdefault(line.hider, []).append(line)
    return curves(
        _SPREAD,
        FIGURES[name],
        [
            Curve(
                hider,
                [(line.spread, line.summaries[name].mean) for line in lines],
                [(line.summaries[name].low, line.summaries[name].high) for line in lines],
            )
            for hider, lines in by_hider.items()
        ],
        log_x=True,
    )


def _histogram(evaluation: Evaluation, name: str, spread: int) -> str:
    return histogram(
        FIGURES[name],
        [
            (line.hider, [value for value in line.values[name] if value != float("inf")])
            for line in evaluation.lines
            if line.spread == spread and name in line.values
        ],
    )


def _figures(pair: Pair, measured: Measured) -> Charts:
    """Return captions and pictures of one hider's result."""
    residual, gain = amplified(pair.cover_rgb, measured.stego_rgb)
    secret_residual, secret_gain = amplified(pair.secret_gray, measured.revealed_gray)
    return [
        ("cover", data_uri(pair.cover_rgb)),
        (f"stego{_decibel(measured.figures['stego_psnr_db'])}", data_uri(measured.stego_rgb)),
        (f"residual x{gain}", data_uri(residual, exact=False)),
        ("secret", data_uri(pair.secret_gray)),
        (f"revealed{_decibel(measured.figures['revealed_psnr_db'])}", data_uri(measured.revealed_gray)),
        (f"residual x{secret_gain}", data_uri(secret_residual, exact=False)),
    ]


def _decibel(value: float | None) -> str:
    if value is None:
        return ""
    return ", equal" if value == float("inf") else f", {value:.1f} dB"


def _label(line: Line) -> str:
    """Return the hider's name, marked if its stegos are simulated."""
    return line.hider + SIMULATED_MARK * line.simulated


def _told(line: Line) -> str:
    return f"{_label(line)}, spread {line.spread}"


def _with_interval(line: Line, name: str) -> str:
    return interval(line.summaries[name], _digits(name)) if name in line.summaries else ""


def _digits(name: str) -> int:
    return _DIGITS[name.rpartition("_")[2]]
