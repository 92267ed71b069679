"""The tables of the paper, reproduced."""
