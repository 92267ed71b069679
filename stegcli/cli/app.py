"""The program: its commands, and the one place where errors become text and an exit code.

Nothing slow is imported here: `--help` must not wait for numpy, onnxruntime or rich. Each command imports
what it needs when it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from stegcli._version import __version__
from stegcli.cli import batch, evaluate, failures, models, signals
from stegcli.cli.capacity import capacity
from stegcli.cli.check import check
from stegcli.cli.export import export
from stegcli.cli.hide import hide
from stegcli.cli.info import info
from stegcli.cli.reveal import reveal
from stegcli.cli.train import train
from stegcli.cli.ui import ui

__all__ = ["app"]


class StegGroup(TyperGroup):
    """Renders every error inside the group, where the command line's own test runner sees it too."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:  # noqa: ANN401
        """Run the program; show an error of the command line, too, as its flags ask."""
        words = sys.argv[1:] if args is None else list(args)
        try:
            code = super().main(words, *rest, **{**options, "standalone_mode": False})
        except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - each is shown by the table
            code = failures.show(error, failures.ErrorStyle.of(words))
        sys.exit(code or 0)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - the home of its type moves
        """Run the command; leave with the exit code of what went wrong."""
        signals.arm()  # parsing the command line has imported half a second's worth of modules
        try:
            return super().invoke(ctx)
        except (typer.Exit, failures.CommandLineError):
            raise
        except (KeyboardInterrupt, Exception) as error:
            raise typer.Exit(failures.show(error, ctx.obj)) from error

    def make_context(self, info_name: Any, args: list[str], *rest: Any, **extra: Any) -> Any:  # noqa: ANN401
        """Note how errors are to be shown before anything can fail."""
        return super().make_context(info_name, args, *rest, **{"obj": failures.ErrorStyle.of(args), **extra})


app = typer.Typer(
    cls=StegGroup,
    help="Hide a grayscale picture inside a colour picture, and reveal it again.",
    epilog="Start with: stegcli hide cover.png secret.png -o stego.png, then: stegcli reveal stego.png",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: rich would take longer to load than everything else here
    pretty_exceptions_enable=False,  # they would show local variables, and a passphrase among them
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (hide, reveal, info, check, capacity, train, export, ui):
    app.command()(command)
app.add_typer(models.app, name="models")
app.add_typer(batch.app, name="batch")
app.add_typer(evaluate.app, name="evaluate")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stegcli {__version__}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Hide a grayscale picture inside a colour picture, and reveal it again."""
