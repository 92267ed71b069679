"""`python -m stegcli.training.costs`: the same as `python -m stegcli.training costs`."""

import sys

from stegcli.training.__main__ import app

app(["costs", *sys.argv[1:]])
