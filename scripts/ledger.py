"""Check, or with --write refresh, every figure in Markdown that is marked as coming from results/.

    python scripts/ledger.py [--write]

How to mark a figure: see ledger_views.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ledger_views import differences, filled

ROOT = Path(__file__).parent.parent


def pages() -> list[Path]:
    """Markdown that may hold figures."""
    return sorted(
        [
            *ROOT.glob("*.md"),
            *ROOT.glob("weights/*/*.md"),
            *ROOT.glob("docs/*.md"),
            *ROOT.glob("results/*.md"),
        ]
    )


def main() -> None:
    """Check or refresh."""
    write = "--write" in sys.argv[1:]
    stale = 0
    for page in pages():
        text = page.read_text(encoding="utf-8")
        found = differences(text, ROOT)
        stale += len(found)
        for place in found:
            print(f"{page.relative_to(ROOT)}: {'refreshed' if write else 'differs'}: {place}")
        if found and write:
            page.write_text(filled(text, ROOT), encoding="utf-8")
    sys.exit(1 if stale and not write else 0)


if __name__ == "__main__":
    main()
