"""Photographs for measurements: data sets, covers, and pairs of cover and secret."""
