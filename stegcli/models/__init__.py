"""Model files and the networks in them: the only package that knows ONNX Runtime."""
