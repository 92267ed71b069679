"""Steganalyzers that judge stegos: SRNet with a curriculum, and the paper's."""
