"""Security: how often detectors err on stegos."""
