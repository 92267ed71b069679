"""The program: its commands, and the one place where errors become text and an exit code.

Nothing slow is imported here: `--help` must not wait for numpy, onnxruntime or rich. Each command imports
what it needs when it runs.
"""

from __future__ import annotations

import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from stegcli._version import __version__
from stegcli.cli import evaluate, report
from stegcli.cli.check import check
from stegcli.cli.export import export
from stegcli.cli.hide import hide
from stegcli.cli.info import info
from stegcli.cli.models import models
from stegcli.cli.reveal import reveal
from stegcli.cli.train import train
from stegcli.errors import ExitCode, StegError, out_of_memory

__all__ = ["app"]

# Its home has moved between releases of Typer, but it has always been the base of this public name.
_CommandLineError: Any = typer.BadParameter.__bases__[0]


class StegGroup(TyperGroup):
    """Renders every error inside the group, where the command line's own test runner sees it too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  (its home moves)
        """Note the flags that say how to show an error, even one that keeps the command from being parsed."""
        options = args[: args.index("--")] if "--" in args else args
        ctx.obj = report.ErrorStyle(as_json="--json" in options, debug="--debug" in options)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        """Run the command; leave with the exit code of what went wrong."""
        style: report.ErrorStyle = ctx.obj
        try:
            return super().invoke(ctx)
        except StegError as error:
            report.show_error(error, style)
            raise typer.Exit(int(error.exit_code)) from error
        except MemoryError as error:
            short = out_of_memory()
            report.show_error(short, style)
            raise typer.Exit(int(short.exit_code)) from error
        except KeyboardInterrupt as error:
            report.show_interrupted(style)
            raise typer.Exit(int(ExitCode.INTERRUPTED)) from error
        except _CommandLineError as error:
            if not style.as_json:
                raise
            report.show_usage_error(error.format_message())
            raise typer.Exit(int(ExitCode.USAGE)) from error
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            report.show_bug(error, style, "".join(traceback.format_exception(error)))
            raise typer.Exit(int(ExitCode.BUG)) from error


app = typer.Typer(
    cls=StegGroup,
    help="Hide a grayscale picture inside a colour picture, and get it back.",
    epilog="Start with: stegcli hide cover.png secret.png -o stego.png, then: stegcli reveal stego.png",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: rich would take longer to load than everything else here
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (hide, reveal, info, check, models, train, export):
    app.command()(command)
app.add_typer(evaluate.app, name="evaluate")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stegcli {__version__}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and leave.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Hide a grayscale picture inside a colour picture, and get it back."""
