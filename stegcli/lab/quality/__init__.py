"""How good stegos and revealed pictures are, and how much damage they bear."""
