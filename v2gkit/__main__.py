"""`python -m v2gkit`: the command line, as `v2g` and `v2gkit` start it."""

import sys

from v2gkit.start import main

if __name__ == "__main__":
    sys.exit(main())
