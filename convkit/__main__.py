"""``python -m convkit`` is the command `convkit`."""

import sys

from convkit.cli import main

if __name__ == "__main__":
    sys.exit(main())
