"""The luma-phase channel: symbols in the fraction of a cover's luma."""
