"""Render a self-contained HTML page with tables, charts and pictures."""

from __future__ import annotations

from stegcli.lab.extras import load

__all__ = ["check_extra", "render"]

_PURPOSE = "a report as a page"


def check_extra() -> None:
    """Check, before anything long is measured, that a page can be made of it.

    Raises:
        MissingExtraError: it cannot.
    """
    for module in ("jinja2", "matplotlib"):
        load(module, _PURPOSE)


def render(template: str, **values: object) -> str:
    """Render a template of this package, given the values that it shows; text is escaped.

    Raises:
        MissingExtraError: `stegcli[lab]` is not installed.
    """
    jinja2 = load("jinja2", _PURPOSE)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stegcli.lab.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return str(environment.get_template(f"{template}.html").render(values))
