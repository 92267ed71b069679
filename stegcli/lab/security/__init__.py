"""How often detectors err about stegos."""
