"""`python -m secc` is `v2g secc`."""

import sys
from importlib import import_module

if __name__ == "__main__":
    # the roof is not known to its rooms: it is found by name, where it is installed
    sys.exit(import_module("lab.cli").main(["secc", *sys.argv[1:]]))
