"""Where numbers sit in a picture: integers in, integers out, no networks and no files."""
