"""`python -m stegcli.training.paper`: the same as `python -m stegcli.training reproduce`."""

import sys

from stegcli.training.__main__ import app

app(["reproduce", *sys.argv[1:]])
