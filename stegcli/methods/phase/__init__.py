"""Hiding in phases of luma: encoding, decoding, header fields, and estimating damage."""
