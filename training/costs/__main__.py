"""`python -m stegcli.training.costs`: as `python -m stegcli.training costs`."""

import sys

from stegcli.training.__main__ import app

app(["costs", *sys.argv[1:]])
