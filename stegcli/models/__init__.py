"""Model files and the networks in them: the only room that knows ONNX Runtime."""
