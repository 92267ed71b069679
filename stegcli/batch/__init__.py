"""Hiding in, and revealing from, any number of pictures: entries, the processes that do them, and results.

manifest or folder ──> entries ──┬─ kept ────────────────────────────┐
journal of earlier runs ─────────┴─ to do ──> a crew (see `crew`) ────┴──> results, as they finish
"""
