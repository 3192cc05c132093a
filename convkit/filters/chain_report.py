"""What chains of filters tell about themselves."""

from __future__ import annotations

from dataclasses import dataclass

from convkit.filters.bands import Banded


@dataclass(frozen=True)
class Profile:
    """Where the time of a chain went.

    `stages` are the filters of the chain, each once, by name, with the seconds that its kernels took;
    `together` is what the chain took in all, `apart` what its filters took one after another.
    """

    stages: tuple[tuple[str, float], ...]
    together: float
    apart: float

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.stages)
        lines = [f"{name:<{width}} {s * 1e3:9.3f} ms {s / self.together:5.0%}" for name, s in self.stages]
        rest = self.together - sum(seconds for _, seconds in self.stages)
        lines.append(f"{'between':<{width}} {rest * 1e3:9.3f} ms {rest / self.together:5.0%}")
        lines.append(f"together {self.together * 1e3:.3f} ms, one by one {self.apart * 1e3:.3f} ms")
        return "\n".join(lines)


def size_of(shape: tuple[int, ...]) -> str:
    """A shape as text."""
    return "x".join(map(str, shape))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def summary(plan: Banded) -> str:
    """How a part of a chain is cut."""
    bands = sum(len(part.bands) for part in plan.parts)
    return (
        f"{_count(bands, 'band')} of {_count(plan.band, 'row')}, {_count(plan.threads, 'thread')}, "
        f"{plan.window_bytes / 1e3:.0f} kB between the filters"
    )


def step_lines(plan: Banded) -> list[str]:
    """A line for each filter of a part."""
    width = max(len(step.name) for step in plan.steps)
    return [
        f"  {step.name:<{width}}   reads {_count(step.kernel.above, 'row')} above and {step.kernel.below} "
        f"below, gives {size_of(step.shape)} {step.dtype}"
        for step in plan.steps
    ]
