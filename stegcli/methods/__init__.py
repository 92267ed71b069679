"""Ways of hiding, one file or folder per family: arrays in, arrays out. `table` lists them."""
