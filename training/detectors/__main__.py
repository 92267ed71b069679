"""`python -m stegcli.training.detectors`: the same as `python -m stegcli.training detectors`."""

import sys

from stegcli.training.__main__ import app

app(["detectors", *sys.argv[1:]])
