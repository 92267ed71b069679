"""The paper's GAN: encoder, decoder and steganalyzer, their losses, and the adversarial training step."""
