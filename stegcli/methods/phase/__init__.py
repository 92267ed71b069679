"""Hiding in phases of luma: the codec's side, its fields in the header, what it knows of damage."""
