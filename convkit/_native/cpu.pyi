from typing import TypedDict

class BuildFacts(TypedDict):
    compiler: str
    openmp: int
    baseline_vector_bytes: int

def machine_level() -> int: ...
def build_facts() -> BuildFacts: ...
