"""`stegcli evaluate`, with `damage` and `security` below it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stegcli.cli import options
from stegcli.cli.failures import if_interrupted
from stegcli.cli.report import Talk
from stegcli.errors import UsageError

if TYPE_CHECKING:
    from stegcli.crew.base import Crew
    from stegcli.lab.data.pairs import PairSource
    from stegcli.lab.quality.damage import DamageRow
    from stegcli.lab.quality.hiders import Hider
    from stegcli.progress import Progress

__all__ = ["app"]

app = typer.Typer(
    invoke_without_command=True,
    help="Measure models and baselines over many pairs of pictures.",
    epilog="Example: stegcli evaluate --dataset folder:photos --baselines all --pairs 50 --report out.html",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)

REPORTS = (".html", ".md", ".json")

Dataset = Annotated[
    str | None,
    typer.Option(metavar="SET", help="Pictures: lfw, voc2012, imagenet (held-out part only) or folder:PATH."),
]
DataRoot = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder that holds the data sets, packed or unpacked.")
]
Models = Annotated[
    str,
    typer.Option(
        metavar="IDS",
        help="Models to measure: ids, folders of weights or training runs, with commas; or none.",
    ),
]
Baselines = Annotated[
    str, typer.Option(metavar="NAMES", help="Baselines to compare with: names with commas, all, or none.")
]
Pairs = Annotated[
    str, typer.Option(metavar="N|DIR", help="Number of pairs to draw from --dataset, or a folder of pairs.")
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Seed for all random numbers.")]
Favor = Annotated[
    Literal["cover", "balanced", "secret"], typer.Option(help="Which picture the phase models favor.")
]
Reports = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Write a report as .html, .md or .json; can be repeated."),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=256,
        metavar="N",
        help="Processes, or actors of Ray, to work with (default: none but this one, so that the seconds "
        "are those of a machine at rest; of Ray one for each core).",
        show_default=False,
    ),
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Measure everything again, even what an earlier run finished.")
]


@app.callback()
def evaluate(
    context: typer.Context,
    dataset: Dataset = None,
    data_root: DataRoot = None,
    models: Models = "phase",
    baselines: Baselines = "none",
    pairs: Pairs = "50",
    spreads: Annotated[
        str,
        typer.Option(metavar="LIST", help="Cover pixels per secret pixel, separated by commas: 1,4,16."),
    ] = "1",
    seed: Seed = 0,
    favor: Favor = "balanced",
    sheets: Annotated[
        int, typer.Option(min=0, metavar="N", help="Number of pairs to show in an HTML report.")
    ] = 2,
    report: Reports = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    workers: Workers = None,
    engine: options.Engine = "processes",
    address: options.Address = None,
    fresh: Fresh = False,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Measure models and baselines over many pairs of pictures."""
    if context.invoked_subcommand is not None:
        return
    from stegcli.lab.quality.evaluate import evaluate, samples
    from stegcli.lab.report import quality_report, tables

    reports = _checked_reports(report, force)
    talk, crew = Talk(as_json, quiet, verbose), _crew(engine, workers, address)
    hiders = _hiders(models, baselines, weights, favor, device)
    journal = _journal(reports)
    with _measuring(talk, journal) as progress:
        source = _source(dataset, data_root, pairs, seed)
        chosen = _spreads(spreads)
        _forget(journal, fresh)
        result = evaluate(
            hiders,
            source,
            spreads=chosen,
            favor=favor,
            seed=seed,
            journal=journal,
            crew=crew,
            progress=progress,
        )

    def html() -> str:
        return quality_report.html(result, samples(hiders, source, sheets, chosen[0], seed))

    _write(reports, force, html, lambda: quality_report.markdown_report(result), result.as_json())
    lines = [*tables.markdown(quality_report.summary_table(result)).splitlines(), *map(str, reports)]
    talk.result(result.as_json(), lines, map(str, reports))


@app.command()
def damage(
    dataset: Dataset = None,
    data_root: DataRoot = None,
    models: Models = "phase",
    baselines: Baselines = "lsb-332,webp-lsbm,avif-lsbm",
    pairs: Pairs = "20",
    spread: Annotated[int, typer.Option(min=1, metavar="N", help="Cover pixels per secret pixel.")] = 1,
    seed: Seed = 0,
    favor: Favor = "balanced",
    report: Reports = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    workers: Workers = None,
    engine: options.Engine = "processes",
    address: options.Address = None,
    fresh: Fresh = False,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Measure what survives overwritten pixels, noise, JPEG and more."""
    from stegcli.lab.quality.damage import assess
    from stegcli.lab.report import damage_report

    reports = _checked_reports(report, force)
    talk, crew = Talk(as_json, quiet, verbose), _crew(engine, workers, address)
    hiders = _hiders(models, baselines, weights, favor, device)
    journal = _journal(reports)
    with _measuring(talk, journal) as progress:
        source = _source(dataset, data_root, pairs, seed)
        _forget(journal, fresh)
        rows = assess(
            hiders,
            source,
            spread=spread,
            favor=favor,
            seed=seed,
            journal=journal,
            crew=crew,
            progress=progress,
        )
    heading = f"Damage: {len(source)} pairs of {source.description}, spread {spread}, seed {seed}"
    values = {
        "what": "damage",
        "source": source.description,
        "pairs": len(source),
        "spread": spread,
        "seed": seed,
        "hiders": {hider.name: hider.identity for hider in hiders},
        "rows": [_plain(row) for row in rows],
    }
    _write(
        reports,
        force,
        lambda: damage_report.html(heading, rows),
        lambda: damage_report.markdown_report(heading, rows),
        values,
    )
    talk.result(values, [*damage_report.markdown_report(heading, rows).splitlines(), *map(str, reports)], [])


@app.command()
def security(
    dataset: Dataset = None,
    data_root: DataRoot = None,
    preset: Annotated[
        Literal["small", "phase", "coded", "camera", "full", "jpeg"],
        typer.Option(
            help="small: 300 covers, under 20 minutes on two cores; phase: the phase method alone; "
            "coded: coded bits of many sizes and their rivals, 500 covers; camera: coded in tiles of large "
            "photographs, folds by photograph; full: phase, coded and more rivals, 500 covers; jpeg: coded "
            "bits in JPEG files, by other features."
        ),
    ] = "small",
    models: Annotated[
        str,
        typer.Option(metavar="IDS", help="Models to judge besides the phase method, with real secrets."),
    ] = "none",
    features: Annotated[
        str,
        typer.Option(
            metavar="SET",
            help="Features of the detector: colour; spam, crm or srmq1 (need stegcli[lab]); suite trains on "
            "colour, spam, crm, and colour with spam, and reports the one that errs least; so does "
            "colour+spam, on either and on both.",
        ),
    ] = "colour",
    trainings: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Train each detector N times with other seeds, and average its errors."
        ),
    ] = 1,
    covers: Annotated[
        int | None, typer.Option(min=20, metavar="N", help="Number of covers (default: the preset's).")
    ] = None,
    shrink: Annotated[
        float,
        typer.Option(
            min=0.1,
            max=1.0,
            metavar="FACTOR",
            help="Shrink the pictures by this factor; 1 keeps the block grid of JPEGs.",
        ),
    ] = 0.75,
    steganalyzer: Annotated[
        bool,
        typer.Option(
            "--steganalyzer", help="Train the paper's CNN (its Table 6) as well; needs stegcli[train]."
        ),
    ] = False,
    seed: Seed = 0,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep the features of each cover in DIR, so that the same command resumes if cut short.",
        ),
    ] = None,
    report: Reports = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    workers: options.Workers = None,
    engine: options.Engine = "processes",
    address: options.Address = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Train detectors, and report how often they are wrong."""
    from stegcli.cli.train import open_steganalyzer
    from stegcli.crew.base import Crew
    from stegcli.lab.report import security_report
    from stegcli.lab.security import presets

    reports = _checked_reports(report, force)
    if dataset is None:
        raise UsageError("there are no photographs to measure on", "Name them: --dataset folder:photos.")
    talk, crew = Talk(as_json, quiet, verbose), Crew(engine, workers, address)
    with _measuring(talk, None) as progress:
        if preset == presets.JPEG:
            result = presets.run_jpeg(
                dataset.split(","),
                data_root,
                covers=covers,
                seed=seed,
                kept=keep,
                crew=crew,
                progress=progress,
            )
        else:
            result = presets.run(
                preset,
                dataset.split(","),
                data_root,
                models=_models(models, weights, "balanced", device),
                feature_set=features,
                covers=covers,
                shrink=shrink,
                steganalyzer=open_steganalyzer() if steganalyzer else None,
                seed=seed,
                trainings=trainings,
                kept=keep,
                crew=crew,
                progress=progress,
            )
    _write(
        reports,
        force,
        lambda: security_report.html(result),
        lambda: security_report.markdown_report(result),
        result.as_json(),
    )
    lines = [*security_report.markdown_report(result).splitlines(), *map(str, reports)]
    talk.result(result.as_json(), lines, map(str, reports))


def _crew(engine: Literal["processes", "ray"], workers: int | None, address: str | None) -> Crew:
    """This process unless more are asked for: pairs that are measured at once slow each other down."""
    from stegcli.crew.base import HERE, Crew

    return HERE if (engine, workers, address) == ("processes", None, None) else Crew(engine, workers, address)


def _hiders(models: str, baselines: str, weights: str | None, favor: str, device: str) -> list[Hider]:
    """Models first, because the baselines aim at the stego PSNR of the first one."""
    from stegcli.lab.quality.baselines import choose

    hiders: list[Hider] = [*_models(models, weights, favor, device), *choose(baselines)]
    if not hiders:
        raise UsageError("nothing to measure", "Name at least one of --models or --baselines.")
    return hiders


def _models(models: str, weights: str | None, favor: str, device: str) -> list[Hider]:
    from stegcli.cli.train import open_run
    from stegcli.lab.quality.hiders import ModelHider, distinct

    names = [] if models == "none" else models.split(",")
    return distinct(
        [
            open_run(Path(name), device)
            if (Path(name) / "checkpoint.pt").is_file()
            else ModelHider(name, weights, favor, device)
            for name in names
        ]
    )


def _source(dataset: str | None, data_root: Path | None, pairs: str, seed: int) -> PairSource:
    """Pairs of a data set, or, if `pairs` is no number, of a folder."""
    from stegcli.lab.data.pairs import from_dataset, from_folder

    if not pairs.isdecimal():
        if dataset is not None:
            raise UsageError("--pairs DIR and --dataset exclude each other", "Keep one of them.")
        return from_folder(Path(pairs))
    if dataset is None:
        raise UsageError("there is nothing to measure on", "Give --dataset folder:PATH, or --pairs DIR.")
    if int(pairs) < 1:
        raise UsageError("no pairs to measure", "Give --pairs 1 or more.")
    return from_dataset(dataset, data_root, int(pairs), seed)


def _spreads(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) >= 1 for part in parts):
        raise UsageError(f"cannot read the spreads {text!r}", "Give whole numbers from 1: --spreads 1,4,16.")
    return sorted({int(part) for part in parts})


def _checked_reports(reports: list[Path] | None, force: bool) -> list[Path]:
    from stegcli.lab.report.page import check_extra
    from stegcli.pictures.writing import check_absent

    for path in reports or []:
        if path.suffix not in REPORTS:
            raise UsageError(f"{path}: no report of that kind", f"Name it {', '.join(REPORTS)}.")
        if path.suffix == ".html":
            check_extra()
        check_absent(path, force)
    return reports or []


def _journal(reports: list[Path]) -> Path | None:
    """The journal beside the first report: it lets a run that was cut off continue."""
    return reports[0].with_suffix(".pairs.jsonl") if reports else None


def _forget(journal: Path | None, fresh: bool) -> None:
    if fresh and journal is not None:
        journal.unlink(missing_ok=True)


@contextmanager
def _measuring(talk: Talk, journal: Path | None) -> Iterator[Progress | None]:
    """Progress and notes; and if it is interrupted, what a second run will find."""
    with if_interrupted(lambda: _kept(journal)), talk.listening("stegcli"), talk.progress() as progress:
        yield progress


def _kept(journal: Path | None) -> str:
    try:
        finished = 0 if journal is None else journal.read_bytes().count(b"\n") - 1
    except OSError:
        finished = 0
    if finished < 1:
        return "No measurement was finished."
    return f"{journal} keeps {finished} finished measurement(s): the same command continues from there."


def _write(
    reports: list[Path],
    force: bool,
    html: Callable[[], str],
    markdown: Callable[[], str],
    values: dict[str, Any],
) -> None:
    from stegcli.lab.provenance import commit
    from stegcli.pictures.writing import save_text

    values = {"command": shlex.join(["stegcli", *sys.argv[1:]]), "commit": commit(), **values}
    makers: dict[str, Callable[[], str]] = {
        ".html": html,
        ".md": markdown,
        ".json": lambda: json.dumps(values, indent=2) + "\n",
    }
    for path in reports:
        save_text(path, makers[path.suffix](), force)


def _plain(row: DamageRow) -> dict[str, Any]:
    return asdict(row)
