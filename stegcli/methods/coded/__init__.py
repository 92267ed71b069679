"""Hiding a secret as compressed bits, where a cover hides changes best (family `coded`)."""
