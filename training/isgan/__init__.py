"""The paper: encoder, decoder and steganalyzer, their losses, and the adversarial training step."""
