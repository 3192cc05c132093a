from convkit._checks import Array

def run(
    image: Array,
    out: Array,
    down: bool,
    causal: Array,
    anticausal: Array,
    poles: Array,
    reach: int,
    border: int,
    cval: float,
    threads: int,
) -> None: ...
