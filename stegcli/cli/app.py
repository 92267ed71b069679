"""The program: its commands, and the one place where errors become text and an exit code.

Nothing slow is imported here: `--help` must not wait for numpy, onnxruntime or rich. Each command imports
what it needs when it runs, and is itself imported when the command line names it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from stegcli._version import __version__
from stegcli.cli import failures, signals
from stegcli.errors import UsageError

__all__ = ["StegGroup", "program"]


class StegGroup(TyperGroup):
    """Shows every error inside the group, so that Typer's test runner sees it too."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:  # noqa: ANN401
        """Run the program; errors in the command line are shown as its own flags ask."""
        words = sys.argv[1:] if args is None else list(args)
        try:
            _check_none_empty(words)
            code = super().main(words, *rest, **{**options, "standalone_mode": False})
        except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - each is shown by the table
            code = failures.show(error, failures.ErrorStyle.of(words))
        sys.exit(code or 0)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - the home of its type moves
        """Run the command; if it fails, exit with the code of the error."""
        signals.arm()  # parsing the command line has imported half a second's worth of modules
        try:
            return super().invoke(ctx)
        except (typer.Exit, failures.CommandLineError):
            raise
        except (KeyboardInterrupt, Exception) as error:
            raise typer.Exit(failures.show(error, ctx.obj)) from error

    def make_context(self, info_name: Any, args: list[str], *rest: Any, **extra: Any) -> Any:  # noqa: ANN401
        """Note how errors should be shown before anything can fail."""
        return super().make_context(info_name, args, *rest, **{"obj": failures.ErrorStyle.of(args), **extra})


def _check_none_empty(words: Sequence[str]) -> None:
    """Refuse empty words, which come from unset variables of a shell: as a path, one names this folder."""
    for word in words:
        if not word or (word.startswith("--") and word.find("=") == len(word) - 1):
            raise UsageError(
                f"{word.rstrip('=') or 'an argument'} is empty",
                "Give a value; a variable in the command may not be set.",
            )


def program(words: Sequence[str] = ()) -> typer.Typer:
    """The program for a command line: all commands, or only the one that the first word names.

    Typer reads every option of every command before it looks at the command line, which takes longer than
    everything that follows. Help, misspelt commands and completion, which name no command, need them all.
    """
    app = typer.Typer(
        cls=StegGroup,
        help="Hide a grayscale picture inside a colour picture, and reveal it again.",
        epilog="Start with: stegcli hide cover.png secret.png -o stego.png, then: stegcli reveal stego.png",
        no_args_is_help=True,
        rich_markup_mode=None,  # plain help: rich would take longer to load than everything else here
        pretty_exceptions_enable=False,  # they would show local variables, and a passphrase among them
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_program)
    for name in words[:1] if words and words[0] in _COMMANDS else _COMMANDS:
        _COMMANDS[name](app)
    return app


def _add_hide(app: typer.Typer) -> None:
    from stegcli.cli.hide import hide

    app.command()(hide)


def _add_reveal(app: typer.Typer) -> None:
    from stegcli.cli.reveal import reveal

    app.command()(reveal)


def _add_info(app: typer.Typer) -> None:
    from stegcli.cli.info import info

    app.command()(info)


def _add_check(app: typer.Typer) -> None:
    from stegcli.cli.check import check

    app.command()(check)


def _add_capacity(app: typer.Typer) -> None:
    from stegcli.cli.capacity import capacity

    app.command()(capacity)


def _add_models(app: typer.Typer) -> None:
    from stegcli.cli import models

    app.add_typer(models.app, name="models")


def _add_batch(app: typer.Typer) -> None:
    from stegcli.cli import batch

    app.add_typer(batch.app, name="batch")


def _add_ui(app: typer.Typer) -> None:
    from stegcli.cli.ui import ui

    app.command()(ui)


def _add_train(app: typer.Typer) -> None:
    from stegcli.cli.train import train

    app.command()(train)


def _add_export(app: typer.Typer) -> None:
    from stegcli.cli.export import export

    app.command()(export)


def _add_evaluate(app: typer.Typer) -> None:
    from stegcli.cli import evaluate

    app.add_typer(evaluate.app, name="evaluate")


_COMMANDS: Final[dict[str, Callable[[typer.Typer], None]]] = {
    "hide": _add_hide,
    "reveal": _add_reveal,
    "info": _add_info,
    "check": _add_check,
    "capacity": _add_capacity,
    "batch": _add_batch,
    "ui": _add_ui,
    "models": _add_models,
    "train": _add_train,
    "export": _add_export,
    "evaluate": _add_evaluate,
}


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stegcli {__version__}")
        raise typer.Exit


def _program(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Hide a grayscale picture inside a colour picture, and reveal it again."""
