"""A secret as bytes: pictures as AVIF or WebP without containers, any other file as it is or compressed."""
