"""Published figures and where they come from: marked places in Markdown that agree with committed results.

    <!-- ledger results/quality-lfw.json quality -->
    | ... a whole table, or a single number ... |
    <!-- /ledger -->

After the file comes a view (a key of VIEWS: `quality`, `security`, `damage NAME`, ...), which gives a table,
or a path and a format, which give one number: `rows[hider=phase-v1,spread=1].stego_psnr_db.mean .2f`, or
`rows[text pages].stego_psnr_db .2f` where rows have names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from stegcli.errors import UsageError
from stegcli.lab.report import tables

__all__ = ["VIEWS", "differences", "filled", "render"]

Values = dict[str, Any]

_BLOCK: Final = re.compile(r"(<!-- ledger (\S+\.json) (.+?) -->)(.*?)(<!-- /ledger -->)", re.DOTALL)
_STEP: Final = re.compile(r"(\w+)(?:\[([^\]]*)\])?")
_CONDITION: Final = re.compile(r'(\w+)=(?:"([^"]*)"|([^,]*))')
_PATH_AND_FORMAT: Final = re.compile(r"((?:[^\s\[]|\[[^\]]*\])+) ?(.*)")


def filled(text: str, root: Path) -> str:
    """The text with every marked place filled from the results below `root`, if they are there."""
    return _BLOCK.sub(
        lambda match: match.group(1) + (_content(match, root) or match.group(4)) + match.group(5), text
    )


def differences(text: str, root: Path) -> list[str]:
    """The marked places that disagree with their results, or whose results are missing, by opening line."""
    return [match.group(1) for match in _BLOCK.finditer(text) if match.group(4) != _content(match, root)]


def _content(match: re.Match[str], root: Path) -> str | None:
    """What belongs in a marked place; None if its file is not there."""
    file = root / match.group(2)
    if not file.is_file():
        return None
    content = render(json.loads(file.read_text(encoding="utf-8")), match.group(3))
    return f"\n{content}\n" if content.startswith("|") else content


def render(values: Values, what: str) -> str:
    """A view's table, or one number.

    Raises:
        UsageError: there is no such view, and no such path.
    """
    match = _PATH_AND_FORMAT.fullmatch(what)
    name, rest = match.groups() if match else (what, "")
    if name in VIEWS:
        return tables.markdown(VIEWS[name](values, rest))
    number = _at(values, name)
    return f"{number:{rest or '.2f'}}"


def _at(values: Any, path: str) -> Any:  # noqa: ANN401 - whatever the JSON holds
    """Follow `name.name[key=value,key="value, with a comma"].name`, or `name[a key].name`."""
    for name, conditions in _STEP.findall(path):
        try:
            values = values[name]
            if isinstance(values, dict) and conditions:
                values = values[conditions]
            elif conditions:
                wanted = [(key, quoted or plain) for key, quoted, plain in _CONDITION.findall(conditions)]
                values = next(row for row in values if all(str(row[k]) == v for k, v in wanted))
        except (KeyError, TypeError, StopIteration) as error:
            raise UsageError(f"the results hold no {path}", f"Or a view: {', '.join(VIEWS)}.") from error
    return values


def _quality(values: Values, chosen: str) -> tables.Table:
    """Stego and revealed quality; `chosen`: hiders with commas, all if empty."""
    names = chosen.split(",") if chosen else None
    head = ["method", "spread", "stego PSNR (dB)", "stego SSIM", "revealed PSNR (dB)", "revealed SSIM"]
    return [
        head,
        *(
            [
                row["hider"] + tables.SIMULATED_MARK * row["simulated"],
                str(row["spread"]),
                _interval(row["stego_psnr_db"], 2),
                f"{row['stego_ssim']['mean']:.4f}",
                _interval(row["revealed_psnr_db"], 2),
                f"{row['revealed_ssim']['mean']:.4f}",
            ]
            for row in values["rows"]
            if names is None or row["hider"] in names
        ),
    ]


def _interval(summary: Values, digits: int) -> str:
    return f"{summary['mean']:.{digits}f} ({summary['low']:.{digits}f} to {summary['high']:.{digits}f})"


def _requantisation(values: Values, chosen: str) -> tables.Table:
    """Detection errors by set of covers."""
    head, *rows = _security(values, chosen)
    named = zip(values["rows"], rows, strict=True)
    return [["covers are", *head], *([row["set"], *cells] for row, cells in named)]


def _security(values: Values, chosen: str) -> tables.Table:
    """Detection error and AUC of every subject."""
    del chosen
    head = ["method", "covers", "stego PSNR (dB)", "P_E", "ROC AUC"]
    return [
        head,
        *(
            [
                row["subject"],
                str(row["pairs"]),
                "" if row["stego_psnr_db"] is None else f"{row['stego_psnr_db']:.2f}",
                f"{row['detection_error']:.3f} ({row['error_low']:.3f} to {row['error_high']:.3f})",
                f"{row['auc']:.3f}",
            ]
            for row in values["rows"]
        ),
    ]


def _suite(values: Values, chosen: str) -> tables.Table:
    """P_E of every detector of a suite, and the least with its interval."""
    del chosen
    detectors = list(values["rows"][0]["by_detector"])
    head, *rows = _security(values, "")
    return [
        [*head[:3], *detectors, "least"],
        *(
            [*cells[:3], *(f"{_mean(row['by_detector'][each]):.3f}" for each in detectors), cells[3]]
            for row, cells in zip(values["rows"], rows, strict=True)
        ),
    ]


def _stealth(values: Values, chosen: str) -> tables.Table:
    """The least P_E of coded bits beside those of an ideal coder with HILL costs that carries as much."""
    del chosen
    found = {
        row["subject"]: cells[3] for row, cells in zip(values["rows"], _security(values, "")[1:], strict=True)
    }
    rows = [
        (f"at 40 dB, spread {spread}", f"coded@40, spread {spread}", f"avif-hill-40, spread {spread}")
        for spread in (1, 4, 16, 64)
    ]
    rows += [(f"at 36 dB, spread {spread}", f"coded@36, spread {spread}", "") for spread in (1, 4, 16, 64)]
    rows += [
        (f"{rate} bit per pixel", f"coded, {rate} bit per pixel", f"ideal coder, HILL, {rate} bit per pixel")
        for rate in (0.5, 0.3, 0.15)
    ]
    return [
        ["what is hidden", "P_E of `coded`", "ideal coder, HILL costs"],
        *([what, found[coded], found.get(rival, "")] for what, coded, rival in rows),
    ]


def _pooled(values: Values, chosen: str) -> tables.Table:
    """The same, and P_E of whole photographs."""
    head, *rows = _suite(values, chosen)
    return [
        [*head, "whole photographs"],
        *(
            [
                *cells,
                f"{row['pooled_error']:.3f} ({row['pooled_low']:.3f} to {row['pooled_high']:.3f})",
            ]
            for row, cells in zip(values["rows"], rows, strict=True)
        ),
    ]


def _mean(errors: list[float]) -> float:
    """Of several trainings."""
    return sum(errors) / len(errors)


def _accuracy(values: Values, chosen: str) -> tables.Table:
    """Accuracy of the paper's steganalyzer on every subject."""
    del chosen
    return [
        ["method", "covers judged", "stego PSNR (dB)", "accuracy"],
        *(
            [
                row["subject"],
                str(row["pairs"]),
                f"{row['stego_psnr_db']:.2f}",
                f"{row['accuracy']:.3f} ({row['accuracy_low']:.3f} to {row['accuracy_high']:.3f})",
            ]
            for row in values["rows"]
        ),
    ]


def _damage(values: Values, chosen: str) -> tables.Table:
    """Revealed PSNR by level of one damage."""
    hiders = list(values["hiders"])
    rows = [row for row in values["rows"] if row["damage"] in (chosen, "none")]
    levels = sorted({row["level"] for row in rows})
    found = {(row["hider"], row["level"]): row for row in rows}
    body = [
        [f"{level:g}", *(f"{found[hider, level]['revealed_psnr_db']['mean']:.1f}" for hider in hiders)]
        for level in levels
    ]
    return [[chosen, *hiders], *body]


def _tried(values: Values, chosen: str) -> tables.Table:
    """Variants of a setting, as `results/costs.json` lists them."""
    del chosen
    return [values["columns"], *([str(cell) for cell in row] for row in values["rows"])]


def _judge(values: Values, chosen: str) -> tables.Table:
    """What `benchmarks/judge.py` measured: how well figures rank covers as a detector does."""
    del chosen
    measure, title = ("spread", "spread") if "spread" in values["rows"][0] else ("rate", "bits per pixel")
    head = [
        "covers",
        title,
        "detector's P_E",
        "chosen by",
        "rank correlation",
        "among the two best of ten",
    ]
    return [
        head,
        *(
            [
                row["covers"],
                str(row[measure]),
                f"{row['detection_error']:.3f}",
                row["figure"],
                f"{row['correlation']:.2f}",
                f"{row['among_two_best']:.2f}",
            ]
            for row in values["rows"]
        ),
    ]


def _sizes(values: Values, chosen: str) -> tables.Table:
    """What `benchmarks/cover_size.py` measured."""
    del chosen
    head = ["covers", "spread", "header", "stego PSNR (dB)", "P_E", "deflection"]
    return [
        head,
        *(
            [
                f"{row['width']}x{row['height']}",
                str(row["spread"]),
                "yes" if row["header"] else "no",
                f"{row['stego_psnr_db']:.2f}",
                f"{row['detection_error']:.3f} ({row['error_low']:.3f} to {row['error_high']:.3f})",
                f"{row['deflection']:.2f}",
            ]
            for row in sorted(
                values["rows"], key=lambda row: (not row["header"], row["spread"], row["width"])
            )
        ),
    ]


def _card(values: Values, chosen: str) -> tables.Table:
    """What `benchmarks/quality.py` measured, by kind of secret and by spread."""
    del chosen
    head = [
        "secrets",
        "pairs",
        "stego PSNR (dB)",
        "stego SSIM",
        "of luma",
        "revealed PSNR (dB)",
        "revealed SSIM",
    ]
    wider = {
        f"photographs, cover {spread} times the secret": row
        for spread, row in values.get("spread", {}).items()
    }
    return [
        head,
        *(
            [
                name,
                str(row["pairs"]),
                f"{row['stego_psnr_db']:.2f}",
                f"{row['stego_ssim']:.4f}",
                f"{row['stego_luma_ssim']:.4f}",
                f"{row['revealed_psnr_db']:.2f}",
                f"{row['revealed_ssim']:.4f}",
            ]
            for name, row in (values["rows"] | wider).items()
        ),
    ]


def _survival(values: Values, chosen: str) -> tables.Table:
    """What `benchmarks/survival.py` measured: figures of quality, or with "opened" what opened after what."""
    promises = values["summary"]
    if chosen == "opened":
        names = list(promises[0]["opened"])
        rows = [
            [name, *(f"{each['opened'][name]} of {_hidden(each)}" for each in promises)] for name in names
        ]
        return [["after", *(each["promise"] for each in promises)], *rows]
    head = ["promise", "covers", "stego PSNR (dB)", "stego SSIM", "flattest 40 % (dB)", "revealed PSNR (dB)"]
    figures = (("stego_psnr_db", 2), ("stego_ssim", 4), ("flat_psnr_db", 2), ("revealed_psnr_db", 2))
    return [
        [*head, "bits per pixel"],
        *(
            [
                each["promise"],
                str(_hidden(each)),
                *(f"{each[key]['mean']:.{n}f} ({each[key]['least']:.{n}f})" for key, n in figures),
                f"{each['bpp']['mean']:.3f}",
            ]
            for each in promises
        ),
    ]


def _hidden(summary: Values) -> int:
    """Covers that were not refused."""
    return int(summary["covers"] - summary["refused"])


_PAPER_FIGURES: Final = {
    "stego PSNR (dB)": ("stego_psnr_db", 2),
    "revealed PSNR (dB)": ("revealed_psnr_db", 2),
    "stego SSIM": ("stego_ssim", 4),
    "revealed SSIM": ("revealed_ssim", 4),
}
"""In the order in which `training/paper/tables.py` gives the paper's."""


def _paper(values: Values, chosen: str) -> tables.Table:
    """Tables 4 and 5 of the paper: each row as it reports it, if it does, and as measured here."""
    del chosen
    digits = [digits for _, digits in _PAPER_FIGURES.values()]
    head = ["loss" if values["table"] == 4 else "covers / secrets", "system", *_PAPER_FIGURES, "pairs"]
    table = [head]
    for row in values["rows"]:
        what = row.get("loss") or row["pairs"]
        if "not_measured" in row:
            table.append([what, "not measured", *[""] * (len(head) - 2)])
            continue
        theirs = [
            what,
            f"{row.get('paper_system', 'isgan-basic')}, the paper",
            *_cells(row["paper"], digits),
            "",
        ]
        ours = _cells([row["ours"][name] for name, _ in _PAPER_FIGURES.values()], digits)
        for place, (name, places) in enumerate(_PAPER_FIGURES.values()):
            if "intervals" in row:
                low, high = row["intervals"][name]
                ours[place] += f" ({low:.{places}f} to {high:.{places}f})"
        table += [theirs] if row["paper"] and theirs not in table else []
        table.append([what, row["system"], *ours, str(row["measured_pairs"])])
    return table


def _cells(figures: list[float | None] | None, digits: list[int]) -> list[str]:
    return [
        "" if value is None else f"{value:.{n}f}" for value, n in zip(figures or [], digits, strict=False)
    ]


def _judges(values: Values, chosen: str) -> tables.Table:
    """Table 6 of the paper: accuracy of steganalyzers that learned from the basic model's stegos."""
    del chosen
    head = [
        "steganalyzer",
        "stegos",
        "stego PSNR (dB)",
        "accuracy",
        "by seed",
        "covers right",
        "stegos right",
    ]
    head += ["below basic", "steps"]
    papers = [
        ["as the paper reports", name, "", f"{accuracy:.3f}", "", "", "", "", ""]
        for name, accuracy in (values["paper"] or {}).items()
    ]
    ours = [
        [
            row["steganalyzer"],
            row["stegos"],
            f"{row['stego_psnr_db']:.2f}",
            f"{row['accuracy']:.3f}",
            ", ".join(f"{value:.3f}" for value in row.get("accuracy_by_seed", [])),
            f"{row['covers_right']:.3f}",
            f"{row['stegos_right']:.3f}",
            _below_basic(row),
            str(row["steps"]),
        ]
        for row in values["rows"]
    ]
    return [head, *papers, *ours]


def _below_basic(row: Values) -> str:
    """With its interval; nothing for the basic model itself, and in tables of a single training."""
    interval = row.get("below_basic_interval")
    return "" if interval is None else f"{row['below_basic']:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


_TIMED: Final = {
    "phase": "`phase`, secret as large as the cover",
    "coded": "`coded`, secret as large, 1 MP at most",
    "jpeg": "`coded` in a JPEG, a sixteenth of it",
    "isgan": "`isgan`, as large",
}


def _speed(values: Values, chosen: str) -> tables.Table:
    """What `benchmarks/bench.py` measured."""
    del chosen
    head = ["method", "cover", "hide", "reveal", "hide again", "reveal again", "peak memory"]
    return [
        head,
        *(
            [
                _TIMED[row.get("method", "phase")],
                row["size"],
                f"{row['hide']['seconds']:.2f} s",
                f"{row['reveal']['seconds']:.2f} s",
                f"{row['warm_hide']['seconds']:.2f} s",
                f"{row['warm_reveal']['seconds']:.2f} s",
                f"{max(row['hide']['peak_mib'], row['reveal']['peak_mib']):.0f} MiB",
            ]
            for row in values["speed"]
        ),
    ]


def _case(target: str) -> str:
    """Name of a test and its parameters -> words: `test_a_b[x]` -> `a b (x)`."""
    return target.removeprefix("test_").replace("_", " ").replace("[", " (").replace("]", ")")


def _fuzz(values: Values, chosen: str) -> tables.Table:
    """What `make fuzz` tried; a target without cases was not finished."""
    del chosen
    rows = [row for row in values["rows"] if "cases" in row]
    cells = [[_case(row["target"]), f"{row['cases']:,}", str(row["failed"])] for row in rows]
    total = f"{sum(row['cases'] for row in rows):,}"
    return [["target", "cases", "failed"], *cells, ["all", total, str(values["failures"])]]


def _chaos(values: Values, chosen: str) -> tables.Table:
    """What `make chaos` did to the program, and how often it was not as it should be."""
    del chosen
    known = ("target", "failed", "seconds")
    cells = [
        [
            _case(row["target"]),
            ", ".join(f"{what}: {count:,}" for what, count in row.items() if what not in known),
            str(row["failed"]),
        ]
        for row in values["rows"]
    ]
    return [["what", "how many", "failed"], *cells]


def _peers(values: Values, chosen: str) -> tables.Table:
    """What `benchmarks/peers.py` measured."""
    del chosen
    head = ["tool", "stego PSNR (dB)", "pixels changed", "secret came back", "hide (s)", "reveal (s)"]
    return [
        head,
        *(
            [
                row["tool"],
                f"{row['stego_psnr_db']:.2f}",
                f"{row['pixels_changed']:.3f}",
                row["came_back"],
                f"{row['hide_seconds']:.2f}",
                f"{row['reveal_seconds']:.2f}",
            ]
            for row in values["rows"]
        ),
    ]


VIEWS: Final[dict[str, Callable[[Values, str], tables.Table]]] = {
    "quality": _quality,
    "requantisation": _requantisation,
    "security": _security,
    "suite": _suite,
    "stealth": _stealth,
    "pooled": _pooled,
    "accuracy": _accuracy,
    "damage": _damage,
    "tried": _tried,
    "judge": _judge,
    "sizes": _sizes,
    "card": _card,
    "speed": _speed,
    "paper": _paper,
    "judges": _judges,
    "survival": _survival,
    "fuzz": _fuzz,
    "chaos": _chaos,
    "peers": _peers,
}
