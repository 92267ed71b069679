"""What every training shares: the loop, checkpoints, export to ONNX, the Muon optimiser."""
