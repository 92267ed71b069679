"""Carriers: where numbers lie in a picture. Integers in, integers out; no networks and no files."""
