"""A network that says where a change hides, learned against a steganalyzer."""
