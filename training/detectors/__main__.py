"""`python -m stegcli.training.detectors`."""

from stegcli.training.detectors.command import main

main()
