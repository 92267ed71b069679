"""The tables of the paper, measured anew."""
