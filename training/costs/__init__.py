"""A network that predicts where a cover hides changes, trained against a steganalyzer."""
