"""Lets the tests of the operations import `configurations`, the random calls that they share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
