"""`convkit apply` of a video."""

from pathlib import Path

import numpy as np
from command import run

import convkit as ck

rng = np.random.default_rng(23)


def test_a_video_frame_by_frame(folder, capsys):
    with ck.VideoWriter("in.avi", 10) as writer:
        for i in range(6):
            writer.write(np.full((48, 64, 3), 40 * i, np.uint8))
    status, out, err = run(capsys, "apply", "gaussian(sigma=2)", "in.avi", "-o", "out.mp4")
    assert (status, err) == (0, "")
    assert out.startswith("out.mp4: 6 frames of 64×48, gaussian(sigma=2) of in.avi in ")
    found = ck.Video("out.mp4")
    assert (found.fps, found.size, len(list(found))) == (10, (48, 64), 6)


def test_a_video_tells_its_own_size_and_frames_that_are_missing(folder, capsys):
    with ck.VideoWriter("in.avi", 10) as writer:
        for _ in range(5):
            writer.write(rng.integers(0, 256, (32, 48, 3), np.uint8))
    data = Path("in.avi").read_bytes()
    Path("in.avi").write_bytes(data[: data.rindex(b"00dc", 0, data.rindex(b"idx1"))])
    status, out, _ = run(capsys, "apply", "box(9, border='valid')", "in.avi", "-o", "out.avi")
    assert (status, out.startswith("out.avi: 4 frames of 40×24, ")) == (0, True)
    assert out.endswith("; 4 of the 5 frames that its header promises\n")
