"""Hiding a secret so that it survives JPEG and messengers (family `robust`)."""
