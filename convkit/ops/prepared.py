"""A convolution whose weights are prepared for an algorithm: `run` calls its kernels."""

from __future__ import annotations

from typing import Any

from convkit._checks import Array
from convkit._threads import INPUT_WORK, OUTPUT_WORK, threads_for
from convkit.ops.epilogue import PLAIN, Epilogue


class Prepared:
    """A native `Convolution`, and the multiply-adds of an output; runs from any number of threads.

    Whoever knows better how long an image takes sets `image_work`, in multiply-adds.
    """

    __slots__ = ("image_work", "native", "products")

    def __init__(self, native: Any, products: int) -> None:
        self.native, self.products = native, products
        self.image_work: float | None = None

    def run(
        self, x_bchw: Array, y_bchw: Array, num_threads: int | None = None, epilogue: Epilogue = PLAIN
    ) -> None:
        """Write the convolution of the batch `x_bchw` to `y_bchw`, whose shapes are already checked."""
        if self.image_work is None:
            work: float = y_bchw.size * (self.products + OUTPUT_WORK) + x_bchw.size * INPUT_WORK
        else:
            work = self.image_work * len(y_bchw)
        self.native.run(x_bchw, y_bchw, threads_for(work, num_threads), *epilogue)
