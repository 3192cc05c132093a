"""Images from files and to files: RGB order, dtype kept, upright, and an exception for all that fails."""

from convkit.io.folder import Images, images
from convkit.io.read import ImageInfo, imread, imread_pages, probe
from convkit.io.video import Video, VideoWriter
from convkit.io.write import imwrite

__all__ = [
    "ImageInfo",
    "Images",
    "Video",
    "VideoWriter",
    "images",
    "imread",
    "imread_pages",
    "imwrite",
    "probe",
]
