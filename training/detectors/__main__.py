"""`python -m stegcli.training.detectors`: as `python -m stegcli.training detectors`."""

import sys

from stegcli.training.__main__ import app

app(["detectors", *sys.argv[1:]])
