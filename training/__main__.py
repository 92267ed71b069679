"""`python -m stegcli.training`: trainings and measurements beside those of `stegcli train` and `evaluate`."""

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
    help="Costs, detectors and the tables of the paper. Networks to hide with: `stegcli train`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DataRoot = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where the data sets lie as archives or folders.")
]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Of each training, instead of minutes.")]


@app.callback()
def training() -> None:
    """Costs, detectors and the tables of the paper. Networks to hide with: `stegcli train`."""
    require_extra("torch")


@app.command()
def costs(
    out: Annotated[Path | None, typer.Option(metavar="RUN", help="Train into a new folder.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with a training.")] = None,
    export: Annotated[Path | None, typer.Option(metavar="RUN", help="Write a run's network as ONNX.")] = None,
    onnx: Annotated[Path, typer.Option(metavar="FILE", help="What --export writes.")] = Path("cost.onnx"),
    data_root: DataRoot = None,
    minutes: Annotated[float | None, typer.Option(help="Stop with a checkpoint after so many.")] = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="SETS", help="Instead of imagenet,voc2012, as folder:PATH.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Length of a new training.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of a new training.")] = None,
) -> None:
    """Learn what a change costs; with --export, write the network for the lab to try.

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
        Path | None, typer.Option(metavar="OUT.npz", help="Make covers and stegos, where the program is.")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE.npz", help="Train on what --prepare made; can be repeated."),
    ] = None,
    spreads: Annotated[str, typer.Option(help="1,4,16,64, or those of the data.", show_default=False)] = "",
    seed: int = 0,
    dataset: Annotated[str, typer.Option(metavar="SETS", help="With --prepare.")] = "imagenet,voc2012",
    data_root: DataRoot = None,
    covers: Annotated[int, typer.Option(metavar="N", help="With --prepare: at most so many.")] = 100_000,
    megabytes: Annotated[
        float | None, typer.Option(help="With --prepare: several files, none larger than this.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="With --prepare: processes, or one per core.")] = None,
    judge: Annotated[Literal["paper", "srnet"], typer.Option(help="Who learns.")] = "srnet",
    out: Annotated[Path, typer.Option(metavar="FILE.json", help="The figures.")] = Path("srnet.json"),
    force: Annotated[bool, typer.Option("--force", help="Replace FILE.json.")] = False,
    minutes: Annotated[str, typer.Option(metavar="LIST", help="Of each spread, or one for all.")] = "1",
    control_minutes: Annotated[float, typer.Option(help="Of SRNet's control; 0 for none.")] = 0.3,
    steps: Steps = None,
    device: Device = "auto",
    batch_pairs: Annotated[int, typer.Option(help="Of SRNet.")] = 32,
    crop: Annotated[int, typer.Option(max=192, help="Side of SRNet's windows.")] = 192,
    full_precision: Annotated[bool, typer.Option("--full-precision", help="No bfloat16 on a GPU.")] = False,
    compiled: Annotated[bool, typer.Option("--compile", help="A minute, then faster.")] = False,
) -> None:
    """Train SRNet or the paper's steganalyzer on covers and stegos, and say how well they tell them apart."""
    _one_of(prepare=prepare, data=data)
    wanted = tuple(sorted(set(_numbers(spreads, int))))
    if prepare is not None:
        from stegcli.training.detectors import pair_making  # the whole program, which the others do without

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
    budget: Annotated[float, typer.Option(metavar="MINUTES", help="Of what: see above.")] = 2.0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where table-N.json and .md go.")] = Path(
        "results"
    ),
    data_root: DataRoot = None,
    weights: Annotated[str | None, typer.Option(help="Folder of models, or the program's own.")] = None,
    device: Device = "auto",
    dataset: Annotated[str, typer.Option(metavar="SET", help="Of tables 4 and 6, also folder:PATH.")] = "lfw",
    system: Annotated[
        list[str] | None, typer.Option(metavar="RUN|ID", help="Table 5: what to measure.")
    ] = None,
    basic: Annotated[str | None, typer.Option(metavar="RUN|ID", help="Table 6: the basic model.")] = None,
    isgan: Annotated[
        list[str] | None, typer.Option(metavar="RUN|ID", help="Table 6: what came of it.")
    ] = None,
    pairs: Annotated[int | None, typer.Option(help="Tables 4 and 5: at most this many pairs.")] = None,
    steps: Steps = None,
    covers: Annotated[
        int | None, typer.Option(help="Table 6: covers to learn from (the paper: 5000; or by budget).")
    ] = None,
    test_covers: Annotated[
        int | None, typer.Option(help="Table 6: covers to judge (the paper: 2000; or by budget).")
    ] = None,
    side: Annotated[  # below 64, the steganalyzer's pyramid has less than a pixel to a cell
        int, typer.Option(min=64, max=256, help="Table 6: cut covers to their centre (the paper: 256).")
    ] = 256,
    seeds: Annotated[int, typer.Option(min=1, help="Table 6: trainings of each steganalyzer.")] = 1,
    sheet_pairs: Annotated[int, typer.Option(help="Tables 4 and 5: rows of each sheet.")] = 2,
) -> None:
    """Measure a table of the paper anew.

    4: the basic model is trained for BUDGET minutes with each of five losses, then measured for as long at
    most (or on --pairs N). 5: the models in the box (or --system ...): BUDGET minutes for each in each row.
    6: a steganalyzer learns for BUDGET minutes from the basic model's stegos and judges ISGAN's, as the paper
    has it and with high-pass filters; without --basic and --isgan these are trained for BUDGET minutes each.
    """
    if budget <= 0:
        raise UsageError("there is no time to measure in", "Give a positive --budget.")
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
    size: Annotated[int, typer.Option(help="Of the crops, pixels a side.")] = 256,
    steps: int = 30,
    precision: Literal["no", "bf16"] = "no",
    compiled: Annotated[bool, typer.Option("--compile", help="Compile the networks first.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A batch, crop and steps that take seconds here.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one object.")] = False,
) -> None:
    """How many pairs a second a model trains on, on the device at hand."""
    import torch

    from stegcli.training.loop.throughput import QUICK, measure

    torch.set_float32_matmul_precision("high")
    if quick:
        batch, size, steps = QUICK["cuda" if torch.cuda.is_available() else "cpu"]
    found = measure(model, batch=batch, size=size, steps=steps, precision=precision, compiled=compiled)
    line = f"{found.pairs_per_second:.1f} pairs/s, {found.gib:.1f} GiB"
    typer.echo(json.dumps(dataclasses.asdict(found)) if as_json else line)


def _one_of(**given: object) -> None:
    """UsageError unless exactly one of these options is given."""
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
