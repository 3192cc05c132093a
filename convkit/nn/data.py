"""Batches of arrays: in a shuffled order that a seed decides, and that a checkpoint can go on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from convkit._checks import Array, flag, integer
from convkit.nn.tensor import Tensor, as_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Batches:
    """Batches of arrays that belong together, as often as they are gone through.

    Made by `batches`. Each epoch has an order of its own, which depends on the seed and the epoch's number
    alone: iteration `n` gives the same batches whatever came before it.
    """

    def __init__(
        self,
        arrays: tuple[Array, ...],
        batch_size: int,
        shuffle: bool,
        seed: int,
        drop_last: bool,
        transform: Callable[..., Any] | None,
    ) -> None:
        self.arrays, self.batch_size, self.shuffle, self.seed = arrays, batch_size, shuffle, seed
        self.drop_last, self.transform = drop_last, transform
        self.epoch = 0
        self.position = 0
        """Batches of this epoch that were given out."""

    def __len__(self) -> int:
        whole, rest = divmod(len(self.arrays[0]), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        """The rest of this epoch; then the next one begins."""
        order = self.order()
        while self.position < len(self):
            start = self.position * self.batch_size
            chosen = order[start : start + self.batch_size]
            self.position += 1
            yield self._take(chosen)
        self.epoch, self.position = self.epoch + 1, 0

    def order(self) -> Array:
        """The order of this epoch."""
        count = len(self.arrays[0])
        return self._random().permutation(count) if self.shuffle else np.arange(count)

    def _random(self, *more: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.epoch, *more])

    def _take(self, chosen: Array) -> Any:
        picked = tuple(array[chosen] for array in self.arrays)
        if self.transform is not None:
            picked = self.transform(*picked, self._random(self.position))
        tensors = tuple(
            Tensor(as_array(array)) for array in (picked if isinstance(picked, tuple) else (picked,))
        )
        return tensors[0] if len(tensors) == 1 else tensors

    def state_dict(self) -> dict[str, int]:
        """Where it is."""
        return {"seed": self.seed, "epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state_dict: Mapping[str, int]) -> None:
        """Go on from there."""
        self.seed, self.epoch, self.position = (
            integer(state_dict[name], name, 0) for name in ("seed", "epoch", "position")
        )


def batches(
    *arrays: ArrayLike,
    batch_size: int = 32,
    shuffle: bool = False,
    seed: int = 0,
    drop_last: bool = False,
    transform: Callable[..., Any] | None = None,
) -> Batches:
    """Batches of arrays, to be gone through once an epoch.

    Parameters
    ----------
    *arrays : array_like
        Of one length, such as images and labels.
    batch_size : int
    shuffle : bool
        A new order in every epoch, by the seed.
    seed : int
    drop_last : bool
        Leave out a last batch that is smaller.
    transform : callable, optional
        ``transform(*batch, generator)`` gives the batch instead, such as one that is augmented; what it draws
        from the `numpy.random.Generator` depends on the seed and the place alone.

    Returns
    -------
    Batches
        Gives a tuple of tensors for each batch (a tensor, of one array). ``len`` is the number of batches;
        ``state_dict`` and ``load_state_dict`` keep the place.

    Raises
    ------
    ValueError
        No arrays, or of different lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from convkit import nn
    >>> x, y = np.zeros((10, 1, 8, 8), np.float32), np.arange(10)
    >>> [(a.shape, b.tolist()) for a, b in nn.batches(x, y, batch_size=8)]
    [((8, 1, 8, 8), [0, 1, 2, 3, 4, 5, 6, 7]), ((2, 1, 8, 8), [8, 9])]
    """
    found = tuple(as_array(array) for array in arrays)
    if not found or any(array.ndim == 0 for array in found):
        raise ValueError("batches needs at least one array with an axis of examples")
    if len({len(array) for array in found}) != 1:
        lengths = " and ".join(str(len(array)) for array in found)
        raise ValueError(f"the arrays have {lengths} examples; expected one length")
    return Batches(
        found,
        integer(batch_size, "batch_size", 1),
        flag(shuffle, "shuffle"),
        integer(seed, "seed", 0),
        flag(drop_last, "drop_last"),
        transform,
    )
