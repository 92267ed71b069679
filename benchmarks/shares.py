"""Choose how much of the network's correction of HILL's costs coded bits should use.

    python benchmarks/shares.py --data-root DIR [--shares 0.35 0.6 1 1.4] [--rates 0.5 1.5] [--keep DIR]

Coded bits are written with each share at each number of bits per pixel, and judged by the given detectors,
three trainings each. Covers are pictures that no costs learned from; the first 500 of them, on which the
security tables are measured, are left out, so that the choice does not flatter the tables.
"""

from __future__ import annotations

from pathlib import Path

from bases import arguments, judge

from stegcli.codecs.base import Rate
from stegcli.lab.data.covers import judging_covers
from stegcli.lab.security.coded_subjects import CodedSubject
from stegcli.lab.security.learned_costs import SharedCost


def main() -> None:
    """Measure every share at every rate on the same covers, and write the results."""
    parser = arguments(__doc__, Path("results/shares.json"), covers=249, features="colour+crm", trainings=3)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.35, 0.6, 1.0, 1.4])
    parser.add_argument("--rates", type=float, nargs="+", default=[0.5], help="bits of body per pixel")
    parser.add_argument("--skip", type=int, default=500, help="number of covers that belong to the tables")
    options = parser.parse_args()
    refs = judging_covers(options.data_root, options.skip + options.covers)[options.skip :]
    subjects = [
        CodedSubject(f"share {share:g}, {rate:g} bit per pixel", Rate(rate), cost=SharedCost(share))
        for rate in options.rates
        for share in options.shares
    ]
    rows = judge(subjects, refs, options, "benchmarks/shares.py")
    for row in rows:
        print(f"{row.subject:<32} {row.detection_error:.3f} ({row.error_low:.3f} to {row.error_high:.3f})")


if __name__ == "__main__":
    main()
