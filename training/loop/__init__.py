"""Parts shared by all trainings: the loop, checkpoints, export to ONNX, the Muon optimiser."""
