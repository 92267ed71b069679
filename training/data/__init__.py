"""Photographs to learn from: downloads, packed pools, batches."""
