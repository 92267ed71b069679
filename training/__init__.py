"""Training of the models; installed as `stegcli.training`, requires `stegcli[train]`."""
