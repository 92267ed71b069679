"""`python -m stegcli.training`: trainings and measurements beyond `stegcli train` and `stegcli evaluate`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from stegcli.cli.app import StegGroup
from stegcli.cli.train import require_extra
from stegcli.errors import UsageError

__all__ = ["app"]

app = typer.Typer(
    cls=StegGroup,
    help="Train costs and detectors; reproduce the paper's tables. `stegcli train` trains hiding networks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DataRoot = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder with the data sets, as archives or folders.")
]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Device to train on.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Steps of each training, instead of minutes.")]


@app.callback()
def training() -> None:
    """Train costs and detectors; reproduce the paper's tables. `stegcli train` trains hiding networks."""
    require_extra("torch")


@app.command()
def costs(
    out: Annotated[Path | None, typer.Option(metavar="RUN", help="Train into a new folder.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Continue a training.")] = None,
    export: Annotated[Path | None, typer.Option(metavar="RUN", help="Write a run's network as ONNX.")] = None,
    onnx: Annotated[Path, typer.Option(metavar="FILE", help="File that --export writes.")] = Path(
        "cost.onnx"
    ),
    data_root: DataRoot = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop with a checkpoint after this many minutes.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(metavar="SETS", help="Data sets instead of imagenet,voc2012; also folder:PATH."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Number of steps of a new training.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of a new training.")] = None,
) -> None:
    """Train a network that predicts what a change costs, or export one with --export for the lab to try.

    Try it with: python benchmarks/costs.py --data-root DIR --learned cost.onnx
    """
    _one_of(out=out, resume=resume, export=export)
    from stegcli.training import config
    from stegcli.training.costs import command
    from stegcli.training.loop.checkpoint import Run

    if export is not None:
        command.export(export, onnx)
        typer.echo(onnx)
        return
    if resume is not None:
        recipe = config.build(command.CostRecipe, Run(resume).load(command.MODEL)["recipe"])
    else:
        data = dict.fromkeys(dataset.split(","), 1.0) if dataset else None
        recipe = config.override(command.CostRecipe(), data=data, steps=steps, seed=seed)
    folder = resume or out or Path()
    command.train(recipe, folder, data_root, minutes, resumed=resume is not None)
    typer.echo(folder)


@app.command()
def detectors(
    prepare: Annotated[
        Path | None, typer.Option(metavar="OUT.npz", help="Make pairs of covers and stegos; trains nothing.")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE.npz", help="Train on a file that --prepare made; can be repeated."),
    ] = None,
    spreads: Annotated[
        str,
        typer.Option(help="Spreads, such as 1,4,16,64 (default: those, or the data's).", show_default=False),
    ] = "",
    seed: int = 0,
    dataset: Annotated[
        str, typer.Option(metavar="SETS", help="With --prepare: data sets to take covers from.")
    ] = "imagenet,voc2012",
    data_root: DataRoot = None,
    covers: Annotated[
        int, typer.Option(metavar="N", help="With --prepare: largest number of covers.")
    ] = 100_000,
    megabytes: Annotated[
        float | None, typer.Option(help="With --prepare: write several files, none larger than this.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="With --prepare: number of processes (default: one per core).")
    ] = None,
    judge: Annotated[Literal["paper", "srnet"], typer.Option(help="Detector to train.")] = "srnet",
    out: Annotated[Path, typer.Option(metavar="FILE.json", help="File for the figures.")] = Path(
        "srnet.json"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace FILE.json.")] = False,
    minutes: Annotated[
        str, typer.Option(metavar="LIST", help="Minutes for each spread, or one number for all.")
    ] = "1",
    control_minutes: Annotated[
        float, typer.Option(help="Minutes for SRNet's control; 0 leaves it out.")
    ] = 0.3,
    steps: Steps = None,
    device: Device = "auto",
    batch_pairs: Annotated[int, typer.Option(help="Pairs in a batch of SRNet.")] = 32,
    crop: Annotated[int, typer.Option(max=192, help="Side of SRNet's crops in pixels.")] = 192,
    full_precision: Annotated[
        bool, typer.Option("--full-precision", help="Do not use bfloat16 on a GPU.")
    ] = False,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the network first: takes a minute, then runs faster.")
    ] = False,
) -> None:
    """Train SRNet or the paper's steganalyzer on covers and stegos, and report how well it separates them."""
    _one_of(prepare=prepare, data=data)
    wanted = tuple(sorted(set(_numbers(spreads, int))))
    if prepare is not None:
        from stegcli.training.detectors import pair_making  # needs the whole program; training does not

        paths = pair_making.prepare(
            prepare, dataset.split(","), data_root, count=covers, spreads=wanted or pair_making.SPREADS,
            megabytes=megabytes, seed=seed, workers=workers,
        )  # fmt: skip
        typer.echo("\n".join(map(str, paths)))
        return
    import torch

    from stegcli.pictures.writing import check_absent
    from stegcli.training.detectors import command

    check_absent(out, force)
    cuda = torch.cuda.is_available() if device == "auto" else device == "cuda"
    wishes = command.Wishes(
        judge, out, wanted, _numbers(minutes, float), control_minutes, steps, seed,
        torch.device("cuda" if cuda else "cpu"), batch_pairs, crop, full_precision, compiled,
    )  # fmt: skip
    command.measure(data or [], wishes)
    typer.echo(out)


@app.command()
def reproduce(
    table: Annotated[int, typer.Option(min=4, max=6, help="4: losses, 5: quality, 6: steganalysis.")],
    budget: Annotated[
        float, typer.Option(metavar="MINUTES", help="Minutes for each step, as described above.")
    ] = 2.0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for table-N.json and table-N.md.")] = Path(
        "results"
    ),
    data_root: DataRoot = None,
    weights: Annotated[
        str | None, typer.Option(help="Folder of models (default: those that come with the program).")
    ] = None,
    device: Device = "auto",
    dataset: Annotated[
        str, typer.Option(metavar="SET", help="Data set of tables 4 and 6; also folder:PATH.")
    ] = "lfw",
    system: Annotated[
        list[str] | None, typer.Option(metavar="RUN|ID", help="Table 5: a run or model to measure.")
    ] = None,
    basic: Annotated[str | None, typer.Option(metavar="RUN|ID", help="Table 6: the basic model.")] = None,
    isgan: Annotated[
        list[str] | None, typer.Option(metavar="RUN|ID", help="Table 6: a model trained further from it.")
    ] = None,
    pairs: Annotated[int | None, typer.Option(help="Tables 4 and 5: largest number of pairs.")] = None,
    steps: Steps = None,
    covers: Annotated[
        int | None, typer.Option(help="Table 6: covers to train on (paper: 5000; default: by budget).")
    ] = None,
    test_covers: Annotated[
        int | None, typer.Option(help="Table 6: covers to test on (paper: 2000; default: by budget).")
    ] = None,
    side: Annotated[  # below 64, a cell of the steganalyzer's pyramid has less than one pixel
        int, typer.Option(min=64, max=256, help="Table 6: side of the covers' central crops (paper: 256).")
    ] = 256,
    seeds: Annotated[int, typer.Option(min=1, help="Table 6: trainings of each steganalyzer.")] = 1,
    sheet_pairs: Annotated[int, typer.Option(help="Tables 4 and 5: rows of each sheet of pictures.")] = 2,
) -> None:
    """Reproduce a table of the paper.

    Table 4 trains the basic model for BUDGET minutes with each of five losses, then measures it for at most
    as long (or on --pairs N). Table 5 measures the models that come with the program (or --system ...) for
    BUDGET minutes each in every row. Table 6 trains a steganalyzer for BUDGET minutes on the basic model's
    stegos and tests it on ISGAN's, both as in the paper and with high-pass filters; without --basic and
    --isgan, these models are first trained for BUDGET minutes each.
    """
    if budget <= 0:
        raise UsageError(f"a budget of {budget:g} minutes leaves no time", "Give a positive --budget.")
    from stegcli.training.paper.reproduce import Wishes, reproduce

    wishes = Wishes(
        budget, out, data_root, weights, device, dataset, tuple(system or ()), basic, tuple(isgan or ()),
        pairs, steps, covers, test_covers, side, seeds, sheet_pairs,
    )  # fmt: skip
    typer.echo(reproduce(table, wishes).read_text(encoding="utf-8"))


@app.command()
def throughput(
    model: Annotated[str, typer.Option(help="isgan, isgan-basic, rehman or baluja.")] = "isgan",
    batch: int = 16,
    size: Annotated[int, typer.Option(help="Side of the crops in pixels.")] = 256,
    steps: int = 30,
    precision: Literal["no", "bf16"] = "no",
    compiled: Annotated[bool, typer.Option("--compile", help="Compile the networks first.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Choose batch, crop and steps that take seconds on this device.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how many pairs per second a model trains on, on this device."""
    import torch

    from stegcli.training.loop.throughput import QUICK, measure

    torch.set_float32_matmul_precision("high")
    if quick:
        batch, size, steps = QUICK["cuda" if torch.cuda.is_available() else "cpu"]
    found = measure(model, batch=batch, size=size, steps=steps, precision=precision, compiled=compiled)
    line = f"{found.pairs_per_second:.1f} pairs/s, {found.gib:.1f} GiB"
    typer.echo(json.dumps(dataclasses.asdict(found)) if as_json else line)


def _one_of(**given: object) -> None:
    """Raise a UsageError unless exactly one of these options is given."""
    if sum(bool(value) for value in given.values()) != 1:
        names = ", ".join(f"--{name}" for name in given)
        raise UsageError(f"give one of {names}", "See --help.")


def _numbers(text: str, kind: type) -> tuple:  # type: ignore[type-arg]
    try:
        return tuple(kind(part) for part in text.split(",") if part)
    except ValueError:
        raise UsageError(f"cannot read {text!r}", "Give numbers with commas between them.") from None


if __name__ == "__main__":
    app()
