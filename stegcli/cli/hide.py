"""`stegcli hide`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stegcli.cli import options
from stegcli.cli.report import Talk
from stegcli.errors import UsageError

if TYPE_CHECKING:
    from stegcli.forecast import Ranked
    from stegcli.pipeline import HideReport, HideSettings

__all__ = ["hide"]

PUBLIC = "without a passphrase anybody with stegcli can reveal this; add --passphrase to keep it private"


def hide(
    cover: Annotated[
        str, typer.Argument(metavar="COVER", help="Picture that will carry the secret; - is stdin.")
    ],
    secret: Annotated[
        str | None, typer.Argument(metavar="SECRET", help="Picture to hide; colour becomes gray.")
    ] = None,
    cover_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Try every picture of FOLDER as the cover, keep the best; give only SECRET.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="STEGO", help="File to write (default: <cover stem>.stego.png)."
        ),
    ] = None,
    favor: options.Favor = "balanced",
    target: options.Target = None,
    floor: Annotated[
        float | None,
        typer.Option(
            metavar="DB",
            help="Fail if the secret comes back at a lower PSNR "
            "(default: that of a flat gray picture, 20 at most).",
            show_default=False,
        ),
    ] = None,
    passphrase: options.AskPassphrase = False,
    passphrase_file: options.PassphraseFile = None,
    model: options.Model = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    scale_cover: options.ScaleCover = 1.0,
    keep_metadata: Annotated[
        bool, typer.Option("--keep-metadata", help="Carry the cover's EXIF data over.")
    ] = False,
    max_pixels: options.MaxPixels = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Hide SECRET in COVER, then read the result back and say what the receiver will see."""
    from stegcli import images, pipeline
    from stegcli.cli.passphrase import find_passphrase

    talk = Talk(as_json, quiet)
    pixels = options.pixel_limit(max_pixels)
    settings = pipeline.HideSettings(model, weights, device, favor, target, scale_cover, pixels)
    ranking: list[Ranked] = []
    if cover_from is not None:
        secret = _only_secret(cover, secret)
        ranking = _ranked(talk, cover_from, secret, settings)
        cover = ranking[0].cover
    if secret is None:
        raise UsageError("there is no SECRET", "Give COVER and SECRET, or SECRET and --cover-from FOLDER.")
    options.check_one_stdin(cover, secret, passphrase_file)
    stego = options.output_for(output, cover, "stego")
    images.check_writable(stego, force, inputs=[cover, secret])  # before a passphrase is asked for
    words = find_passphrase(ask=passphrase, file=passphrase_file, twice=True)
    with talk.progress() as progress:
        report = pipeline.hide(
            cover,
            secret,
            stego,
            passphrase=words,
            force=force,
            keep_metadata=keep_metadata,
            floor=floor,
            progress=progress,
            **vars(settings),
        )
    is_public = report.has_key and not report.keyed
    talk.notes((*report.notices, PUBLIC) if is_public else report.notices)
    values = report.as_json()
    if ranking:
        values["ranking"] = [ranked.as_json() for ranked in ranking]
    talk.result(values, [*_ranking_lines(ranking), *_lines(report)], [str(stego)])


def _only_secret(first: str, second: str | None) -> str:
    if second is not None:
        raise UsageError("a COVER and --cover-from at once", "With --cover-from give only SECRET.")
    if first == "-":
        raise UsageError("--cover-from reads the secret many times", "Give the secret as a file.")
    return first


def _ranked(talk: Talk, folder: Path, secret: str, settings: HideSettings) -> list[Ranked]:
    """Every picture of the folder but the secret, best hidden first."""
    from stegcli import forecast

    covers = [path for path in forecast.covers_in(folder) if path.resolve() != Path(secret).resolve()]
    with talk.progress() as progress:
        return forecast.rank_covers(covers, secret, settings, progress)


def _ranking_lines(ranking: list[Ranked]) -> list[str]:
    return [f"{place}. {ranked.cover}: {_standing(ranked)}" for place, ranked in enumerate(ranking, start=1)]


def _standing(ranked: Ranked) -> str:
    if ranked.problem:
        return ranked.problem
    return (
        f"judge {ranked.score:+.2f}, exposure {ranked.exposure:.1f}, stego {ranked.stego_psnr_db:.2f} dB, "
        f"{ranked.spread} pixel(s) per value"
    )


def _lines(report: HideReport) -> list[str]:
    return [
        f"{report.stego}: {_size(report.hidden_size)} secret in {_size(report.cover_size)} cover, "
        f"{report.bpp:.2f} bits per pixel, {report.seconds:.1f} s on {report.device}",
        f"  stego against cover      {_quality(report.stego_psnr_db, report.stego_ssim)}",
        f"  revealed against secret  {_quality(report.revealed_psnr_db, report.revealed_ssim)}",
    ]


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _quality(psnr_db: float, ssim: float | None) -> str:
    return f"PSNR {psnr_db:.2f} dB" + ("" if ssim is None else f", SSIM {ssim:.4f}")
