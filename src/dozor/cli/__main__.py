"""`python -m dozor.cli`, for where the folder of scripts is not on the path."""

import sys

from dozor.cli import main

if __name__ == "__main__":
    sys.exit(main())
