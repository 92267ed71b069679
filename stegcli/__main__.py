"""`python -m stegcli`."""

from stegcli.cli import main

main()
