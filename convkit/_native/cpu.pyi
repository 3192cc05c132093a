from typing import Any, TypedDict

import numpy as np

from convkit._checks import Array

class BuildFacts(TypedDict):
    compiler: str
    openmp: int
    baseline_vector_bytes: int

def machine_level() -> int: ...
def past_line(buffer: Array) -> int: ...
def small_array(shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> Array: ...
def build_facts() -> BuildFacts: ...
