"""`stegcli ui`."""

from __future__ import annotations

import webbrowser
from contextlib import suppress
from typing import Annotated

import typer

from stegcli.cli import options
from stegcli.cli.report import Talk
from stegcli.errors import UsageError, one_line

__all__ = ["ui"]

_MIB = 1 << 20


def ui(
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Port to listen on; 0 takes a free one.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
    max_mib: Annotated[
        int, typer.Option(min=1, max=4096, metavar="N", help="Refuse requests of more mebibytes.")
    ] = 128,
    weights: options.Weights = None,
    device: options.Device = "auto",
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Hide and reveal on a page in the browser.

    The page is served only to this computer, and only at the address that contains its key. No other computer
    is contacted, and no picture is kept after the command ends. Press Ctrl-C to end it.
    """
    from stegcli.ui.desk import Desk
    from stegcli.ui.server import Server

    talk = Talk(as_json, quiet, verbose)
    desk = Desk(weights, device, options.pixel_limit(max_pixels))
    try:
        server = Server(desk, port, max_mib * _MIB)
    except OSError as error:
        raise UsageError(f"port {port} cannot be used ({one_line(error)})", "Give another --port.") from error
    with server:
        talk.result({"address": server.address}, [f"{server.address}  (Ctrl-C ends it)"], [server.address])
        if browser:
            webbrowser.open(server.address)
        with suppress(KeyboardInterrupt):  # how it is meant to end
            server.serve_forever()
