"""The README's Python examples run, in their order, on a photo."""

import re
import shutil
from pathlib import Path

from matplotlib.cbook import get_sample_data

README = Path(__file__).parents[1] / "README.md"


def test_examples_run(tmp_path, monkeypatch):
    """Each block goes on where the last one ended, as a reader would type them."""
    with get_sample_data("grace_hopper.jpg") as photo:
        shutil.copyfile(photo.name, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    scope = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), scope)
    assert len(blocks) == 5
    assert scope["features"].shape == (2, 64, 300, 256)
    assert scope["bigger"].shape == (2, 3, 600, 512)
    written = {"photo.jpg", "soft.png", "pan.mp4", "sheet.png", "edges.safetensors"}
    assert {path.name for path in tmp_path.iterdir()} == written
