"""Images from files and to files: RGB order, dtype kept, and an exception for everything that fails."""

from convkit.io.read import imread
from convkit.io.write import imwrite

__all__ = ["imread", "imwrite"]
