"""Photographs to measure on: data sets, covers, pairs of cover and secret."""
