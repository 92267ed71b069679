"""`python -m stegcli.training.costs`."""

from stegcli.training.costs.command import main

main()
