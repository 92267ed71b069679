"""Quality of stegos and revealed pictures, and how much damage they survive."""
