"""`stegcli hide`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stegcli.cli import options
from stegcli.cli.failures import if_interrupted
from stegcli.cli.report import Talk
from stegcli.errors import UsageError

if TYPE_CHECKING:
    from stegcli.detection.forecast import Ranked
    from stegcli.methods.base import Proof
    from stegcli.pictures.encoded import PathLike
    from stegcli.pipeline import HideReport, HideSettings

__all__ = ["hide"]

PUBLIC = "without a passphrase, anybody with stegcli can reveal this; use --passphrase to keep it private"


def hide(
    context: typer.Context,
    cover: Annotated[
        str, typer.Argument(metavar="COVER", help="Picture that will carry the secret; - reads stdin.")
    ],
    secret: Annotated[
        str | None,
        typer.Argument(
            metavar="SECRET",
            help="Picture to hide, or any file with --model coded or --survive; - reads stdin.",
        ),
    ] = None,
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COVER]...", help="More covers, with --covers.", show_default=False),
    ] = None,
    covers: Annotated[
        bool,
        typer.Option(
            "--covers",
            help="Hide one secret across several covers: give SECRET, then the covers, and a folder as -o.",
        ),
    ] = False,
    cover_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Try every picture in FOLDER as the cover and use the one that hides SECRET best; "
            "SECRET is then the only argument.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="STEGO",
            help="File to write, - for stdout "
            "(default: <cover stem>.stego.png; .jpg for a JPEG and --model coded or --survive).",
        ),
    ] = None,
    favor: options.Favor = "balanced",
    target: options.Target = None,
    risk: options.RiskWish = None,
    floor: Annotated[
        float | None,
        typer.Option(
            metavar="DB",
            help="Fail if the revealed picture has a lower PSNR than this "
            "(default: that of a flat gray picture, but at most 20).",
            show_default=False,
        ),
    ] = None,
    gray: Annotated[
        bool,
        typer.Option("--gray", help="Hide a colour secret in grayscale (coded and robust keep colours)."),
    ] = False,
    as_file: Annotated[
        bool, typer.Option("--as-file", help="Hide the file SECRET itself, byte for byte (coded and robust).")
    ] = False,
    survive: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="Hide so that the secret survives: jpeg:85, jpeg:75, jpeg:60, jpeg:50 (and better quality), "
            "webp:90, webp:80, or what a service does: signal, signal-high, telegram, x, whatsapp. "
            "Implies --model robust.",
            show_default=False,
        ),
    ] = None,
    passphrase: options.AskPassphrase = False,
    passphrase_file: options.PassphraseFile = None,
    model: options.Model = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    scale_cover: options.ScaleCover = 1.0,
    force_jpeg_cover: options.ForceJpegCover = False,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole",
            help="Decode the whole of a secret of 4 megapixels or more to report its quality, not a sample.",
        ),
    ] = False,
    keep_metadata: Annotated[
        bool, typer.Option("--keep-metadata", help="Copy the cover's EXIF data to the stego.")
    ] = False,
    max_pixels: options.MaxPixels = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Hide SECRET in COVER, and report what the receiver will see.

    The written file is read back and revealed before it gets its name, so the figures describe the file
    itself. With -o - the stego goes to stdout and the report to stderr.

    With --model coded, a JPEG cover stays a JPEG, on stdout too: the secret goes into its coefficients, and
    the rest of the file stays as it is. Any other cover becomes a JPEG if the name of STEGO ends in .jpg. The
    pixels of a decoded JPEG are refused unless they are shrunk: quantising them again exposes every change.

    With --covers, the coded bits are distributed over the pixels of two or more covers, each of which gets
    as many as suit it. Nothing can be revealed unless all of the stegos are present.

    With --survive, the stego is put through everything it must survive before it is written, and is made
    stronger until the secret comes back every time. What each service does to a picture is modelled on what
    is publicly known: nothing was sent through any of them.
    """
    from stegcli import pipeline
    from stegcli.cli.passphrase import find_passphrase
    from stegcli.pictures.encoded import read_once

    talk = Talk(as_json, quiet, verbose, aside=output == options.STREAM)
    settings = options.hide_settings(
        model,
        weights,
        device,
        favor=favor,
        target=target,
        scale_cover=scale_cover,
        max_pixels=max_pixels,
        keep_metadata=keep_metadata,
        floor=floor,
        gray=gray,
        as_file=as_file,
        force_jpeg_cover=force_jpeg_cover,
        risk=risk,
        survive=survive,
        whole=whole,
    )
    if covers and cover_from is not None:
        raise UsageError("--covers and --cover-from exclude each other", "Keep one of them.")
    if covers:
        names = [name for name in (cover, secret, *(more or ())) if name is not None]
        _over_several(talk, names, output, model, settings, (passphrase, passphrase_file), force)
        return
    if more:
        named = " ".join(more)
        raise typer.BadParameter(f"several covers for one secret need --covers: {named}", ctx=context)
    if cover_from is not None:
        cover, secret = "", _only_secret(cover, secret)
    if secret is None:
        raise UsageError("there is no SECRET", "Give COVER and SECRET, or SECRET and --cover-from FOLDER.")
    options.check_one_stdin(cover, secret, passphrase_file)
    hidden = read_once(secret, settings.max_pixels)
    ranking = [] if cover_from is None else _ranked(talk, cover_from, hidden, settings)
    cover = ranking[0].cover if ranking else cover
    stego = options.output_for(output, cover, options.stego_ending(settings.model, cover))
    out = options.checked_stego(
        stego, settings.model, force, [cover, secret]
    )  # before a passphrase is asked for
    words = find_passphrase(ask=passphrase, file=passphrase_file, twice=True)
    with if_interrupted(options.whether_written(stego)), talk.progress() as progress:
        report = pipeline.hide_as(
            read_once(cover, settings.max_pixels),
            hidden,
            out,
            settings,
            passphrase=words,
            force=force,
            progress=progress,
        )
    notices = (*report.notices, PUBLIC) if report.has_key and not report.keyed else report.notices
    talk.notes(notices)
    values = {**report.as_json(), "notices": list(notices)}
    if ranking:
        values["ranking"] = [ranked.as_json() for ranked in ranking]
    talk.result(values, [*_ranking_lines(ranking), *_lines(report)], [] if talk.aside else [stego])


def _over_several(
    talk: Talk,
    names: list[str],
    output: str | None,
    model: str | None,
    settings: HideSettings,
    asked: tuple[bool, str | None],
    force: bool,
) -> None:
    """SECRET and its covers."""
    from stegcli import several
    from stegcli.cli.passphrase import find_passphrase

    if options.STREAM in names or output == options.STREAM:
        raise UsageError(
            "--covers does not work with streams", "Give the covers as files and, with -o, a folder."
        )
    if model not in (None, "coded"):
        raise UsageError(f"--covers does not work with {model}", "Only coded hides across several covers.")
    secret, *covers = names
    folder = Path(f"{Path(secret).stem}.stegos" if output is None else output)
    words = find_passphrase(ask=asked[0], file=asked[1], twice=True)
    with if_interrupted(lambda: "No stego was written."), talk.progress() as progress:
        report = several.hide_over(
            secret, covers, folder, settings, passphrase=words, force=force, progress=progress
        )
    notices = [*report.notices, *([] if report.keyed else [PUBLIC])]
    talk.notes(notices)
    lines = [
        f"{part.stego}: {part.part_bytes:,} bytes in {_size(part.cover_size)} cover, "
        f"{part.bpp:.2f} bits per pixel, PSNR {part.stego_psnr_db:.2f} dB"
        for part in report.parts
    ]
    lines.append(f"  revealed against secret  {_quality(report.revealed_psnr_db, None)}")
    talk.result({**report.as_json(), "notices": notices}, lines, [part.stego for part in report.parts])


def _only_secret(first: str, second: str | None) -> str:
    if second is not None:
        raise UsageError("COVER and --cover-from exclude each other", "With --cover-from, give only SECRET.")
    return first


def _ranked(talk: Talk, folder: Path, secret: PathLike, settings: HideSettings) -> list[Ranked]:
    """Every picture of the folder but the secret, best hidden first."""
    from stegcli.detection import forecast

    covers = [path for path in forecast.covers_in(folder) if path.resolve() != Path(secret).resolve()]
    with talk.progress() as progress:
        return forecast.rank_covers(covers, secret, settings, progress)


def _ranking_lines(ranking: list[Ranked]) -> list[str]:
    return [f"{place}. {ranked.cover}: {_standing(ranked)}" for place, ranked in enumerate(ranking, start=1)]


def _standing(ranked: Ranked) -> str:
    if ranked.problem:
        return ranked.problem
    opinion = (
        f"judge {ranked.score:+.2f}" if math.isnan(ranked.risk) else f"detection error {ranked.risk:.2f}"
    )
    return (
        f"{opinion}, exposure {ranked.exposure:.1f}, stego {ranked.stego_psnr_db:.2f} dB, "
        f"{ranked.bpp:.3g} bits per pixel"
    )


def _lines(report: HideReport) -> list[str]:
    name = "stdout" if report.stego == options.STREAM else report.stego
    sample = " (of a sample)" if report.is_sample else ""
    return [
        f"{name}: {_hidden(report)} in {_size(report.cover_size)} cover, "
        f"{report.bpp:.2f} bits per pixel, {report.seconds:.1f} s on {report.device}",
        f"  stego against cover      {_quality(report.stego_psnr_db, report.stego_ssim)}",
        f"  revealed against secret  {_quality(report.revealed_psnr_db, report.revealed_ssim)}{sample}",
        *(f"  survives                 {_proof(proof)}" for proof in report.proofs),
    ]


def _proof(proof: Proof) -> str:
    return f"{proof.channel}, with {proof.margin:.0%} to spare"


def _hidden(report: HideReport) -> str:
    if report.hidden_size is None:
        return f"file of {report.secret_bytes:,} bytes"
    return f"{_size(report.hidden_size)} secret"


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _quality(psnr_db: float, ssim: float | None) -> str:
    if math.isinf(psnr_db):
        return "equal"
    return f"PSNR {psnr_db:.2f} dB" + ("" if ssim is None else f", SSIM {ssim:.4f}")
