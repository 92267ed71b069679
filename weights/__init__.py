"""The models that travel with the program: `manifest.toml`, and a folder per model."""
