"""Photographs for training: downloads, pools in memory, batches."""
