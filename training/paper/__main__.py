"""`python -m stegcli.training.paper`."""

from stegcli.training.paper.reproduce import main

main()
