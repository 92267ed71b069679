"""Picture files and their arrays: the only package that opens and writes image files."""
