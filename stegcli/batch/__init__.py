"""Hiding in, and revealing from, any number of pictures: what there is to do, who does it, what is done.

manifest or folder ──> entries ──┬─ kept ────────────────────────────┐
journal of earlier runs ─────────┴─ to do ──> a crew (see `crew`) ────┴──> results, as they finish
"""
