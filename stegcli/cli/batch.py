"""`stegcli batch hide` and `stegcli batch reveal`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stegcli.cli import options
from stegcli.cli.failures import if_interrupted
from stegcli.cli.hide import PUBLIC
from stegcli.cli.report import Talk
from stegcli.errors import BatchError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stegcli.batch.run import Result

__all__ = ["app"]

app = typer.Typer(
    help="Hide in, or reveal from, any number of pictures.",
    epilog="Example: stegcli batch hide pairs.csv --out stegos --workers 2 > results.jsonl",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results, and their journal.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done; read no picture and write nothing.")
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Do everything again, and overwrite any file that has a result's name."),
]


@app.command()
def hide(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="MANIFEST|FOLDER",
            help="CSV file with the columns cover, secret and, where wanted, stego; or a folder with folders "
            "covers and secrets in it, whose files belong together by name; - reads the CSV from stdin.",
        ),
    ],
    out: Out,
    workers: options.Workers = None,
    engine: options.Engine = "processes",
    address: options.Address = None,
    dry_run: DryRun = False,
    favor: options.Favor = "balanced",
    target: options.Target = None,
    gray: Annotated[
        bool, typer.Option("--gray", help="Hide colour secrets in shades of gray (coded keeps colours).")
    ] = False,
    as_file: Annotated[
        bool, typer.Option("--as-file", help="Hide the secrets' files byte for byte (coded only).")
    ] = False,
    passphrase: options.AskPassphrase = False,
    passphrase_file: options.PassphraseFile = None,
    model: options.Model = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    scale_cover: options.ScaleCover = 1.0,
    max_pixels: options.MaxPixels = None,
    force: Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Hide many secrets in as many covers.

    Each result is printed on stdout as a line of JSON as soon as its stego is written and has been revealed
    as a proof. Stegos that an earlier run wrote to DIR are kept if neither the inputs nor the options have
    changed. A picture that fails does not stop the others.

    Stegos of phase and isgan share a part of their salts, so that the costly part of deriving their keys is
    done only once: stegcli 0.1.0 finds nothing in them.
    """
    from stegcli.batch import entries, run
    from stegcli.batch.work import Hiding
    from stegcli.cli.passphrase import find_passphrase

    talk = Talk(as_json, quiet, verbose)
    settings = options.hide_settings(
        model,
        weights,
        device,
        favor=favor,
        target=target,
        scale_cover=scale_cover,
        max_pixels=max_pixels,
        gray=gray,
        as_file=as_file,
    )
    options.check_one_stdin(str(source), passphrase_file)
    found = entries.to_hide(source, partial(options.stego_ending, model))
    words = find_passphrase(ask=passphrase, file=passphrase_file, twice=True)
    work, plan = Hiding(out, settings, words), run.Plan(workers, force, engine, address)
    results = run.forecast(found, plan, work) if dry_run else run.hide_all(found, plan, work)
    _follow(talk, results, len(found), [PUBLIC] if words is None else [])


@app.command()
def reveal(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="MANIFEST|FOLDER",
            help="CSV file with the columns stego and, where wanted, revealed; or a folder of stegos; - "
            "reads the CSV from stdin.",
        ),
    ],
    out: Out,
    workers: options.Workers = None,
    engine: options.Engine = "processes",
    address: options.Address = None,
    dry_run: DryRun = False,
    size: Annotated[
        Literal["original", "hidden"],
        typer.Option(help="Size of the secrets before they were hidden, or the size that was hidden."),
    ] = "original",
    passphrase: options.AskPassphrase = False,
    passphrase_file: options.PassphraseFile = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    max_pixels: options.MaxPixels = None,
    force: Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Reveal what many stegos hide.

    As with `stegcli batch hide`, results are lines of JSON. A picture is written to <stego
    stem>.revealed.png, and a file to a name made of the stem of the stego and its own name.
    """
    from stegcli.batch import entries, run
    from stegcli.batch.work import Revealing
    from stegcli.cli.passphrase import find_passphrase

    talk = Talk(as_json, quiet, verbose)
    options.check_one_stdin(str(source), passphrase_file)
    found = entries.to_reveal(source)
    words = find_passphrase(ask=passphrase, file=passphrase_file, twice=False)
    work = Revealing(out, weights, device, words, size, options.pixel_limit(max_pixels))
    plan = run.Plan(workers, force, engine, address)
    results = run.forecast(found, plan, work) if dry_run else run.reveal_all(found, plan, work)
    _follow(talk, results, len(found), [])


def _follow(talk: Talk, results: Iterable[Result], total: int, notes: list[str]) -> None:
    """Print each result, and a summary of them all."""
    counts = dict.fromkeys(("done", "kept", "failed", "to-do"), 0)
    with if_interrupted(lambda: GO_ON), talk.counting(total) as count:
        for result in results:
            counts[result.status] += 1
            talk.line(json.dumps(result.as_json()), result.file)
            count(result.status == "kept")
    summary = ", ".join(f"{number:,} {status}" for status, number in counts.items() if number)
    talk.notes([*notes, summary])
    if counts["failed"]:
        raise BatchError(
            f"{counts['failed']:,} of {total:,} failed",
            "The lines with the status failed say why; the same command again does those only.",
        )


GO_ON = "What was finished is kept: the same command continues from there."
