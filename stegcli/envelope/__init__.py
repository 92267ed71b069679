"""What travels in front of the secret: keys, the sealed header, and the way into it."""
