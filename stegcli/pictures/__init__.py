"""Picture files and the arrays in them: the only room that opens and writes image files."""
