"""Training of the models; installed as `stegcli.training`, needs `stegcli[train]`."""
