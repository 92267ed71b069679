"""The envelope of a secret: keys, the sealed header, and the ways to open it."""
