"""What a detector would say of one stego, before it is sent."""
