"""A convolution whose weights are prepared for an algorithm: `run` calls its kernels."""

from __future__ import annotations

from typing import Any

from convkit._checks import Array
from convkit._threads import INPUT_WORK, OUTPUT_WORK, threads_for
from convkit.ops.epilogue import PLAIN, Epilogue


class Prepared:
    """A native `Convolution`, and the multiply-adds of an output; runs from any number of threads."""

    __slots__ = ("native", "products")

    def __init__(self, native: Any, products: int) -> None:
        self.native, self.products = native, products

    def run(
        self, x_bchw: Array, y_bchw: Array, num_threads: int | None = None, epilogue: Epilogue = PLAIN
    ) -> None:
        """Write the convolution of the batch `x_bchw` to `y_bchw`, whose shapes are already checked."""
        work = y_bchw.size * (self.products + OUTPUT_WORK) + x_bchw.size * INPUT_WORK
        self.native.run(x_bchw, y_bchw, threads_for(work, num_threads), *epilogue)
