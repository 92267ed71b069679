"""A page for hiding and revealing in a browser, served to this machine alone by the standard library."""
