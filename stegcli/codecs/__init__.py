"""Codecs: a secret as bytes. Pictures as AVIF or WebP without containers, any other file with its name."""
