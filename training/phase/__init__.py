"""The codec of the phase method: networks, channel noise, training step."""
