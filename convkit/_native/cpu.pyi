from typing import TypedDict

from convkit._checks import Array

class BuildFacts(TypedDict):
    compiler: str
    openmp: int
    baseline_vector_bytes: int

def machine_level() -> int: ...
def past_line(buffer: Array) -> int: ...
def build_facts() -> BuildFacts: ...
