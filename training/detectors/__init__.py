"""Steganalyzers that judge stegos: SRNet by a curriculum, and the one of the paper."""
