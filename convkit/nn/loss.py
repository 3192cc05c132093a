"""Losses as modules; `functional` has them as functions."""

from __future__ import annotations

from typing import Any

from convkit._checks import choice
from convkit.nn import functional as F
from convkit.nn.functional.losses import REDUCTIONS
from convkit.nn.module import Module
from convkit.nn.tensor import Tensor, as_array


class _Loss(Module):
    function: Any

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = choice(reduction, "reduction", (*REDUCTIONS, "batchmean"))

    def forward(self, input: Tensor, target: Any) -> Any:
        """The loss of a prediction."""
        return type(self).function(input, target, **self.settings())

    def settings(self) -> dict[str, Any]:
        """The function's further arguments."""
        return {"reduction": self.reduction}


class MSELoss(_Loss):
    """(input - target)²."""

    function = staticmethod(F.mse_loss)


class L1Loss(_Loss):
    """|input - target|."""

    function = staticmethod(F.l1_loss)


class HuberLoss(_Loss):
    """Square up to `delta`, linear beyond (Huber, 1964)."""

    function = staticmethod(F.huber_loss)

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def settings(self) -> dict[str, Any]:
        """With `delta`."""
        return {"reduction": self.reduction, "delta": self.delta}


class SmoothL1Loss(_Loss):
    """Square below `beta`, linear from there on (Girshick, 2015)."""

    function = staticmethod(F.smooth_l1_loss)

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def settings(self) -> dict[str, Any]:
        """With `beta`."""
        return {"reduction": self.reduction, "beta": self.beta}


class CrossEntropyLoss(_Loss):
    """-log softmax(input) of the class that was wanted; see `functional.cross_entropy`.

    Parameters
    ----------
    weight : array_like, (C,), optional
    ignore_index : int
    reduction : {"mean", "sum", "none"}
    label_smoothing : float
    """

    function = staticmethod(F.cross_entropy)

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", None if weight is None else as_array(weight))
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def settings(self) -> dict[str, Any]:
        """All of them."""
        return {
            "weight": getattr(self, "weight"),  # noqa: B009 (a buffer)
            "ignore_index": self.ignore_index,
            "reduction": self.reduction,
            "label_smoothing": self.label_smoothing,
        }


class NLLLoss(_Loss):
    """-input of the class that was wanted, where `input` is log probabilities."""

    function = staticmethod(F.nll_loss)

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", None if weight is None else as_array(weight))
        self.ignore_index = ignore_index

    def settings(self) -> dict[str, Any]:
        """All of them."""
        weight = getattr(self, "weight")  # noqa: B009 (a buffer)
        return {"weight": weight, "ignore_index": self.ignore_index, "reduction": self.reduction}


class BCEWithLogitsLoss(_Loss):
    """-target · log σ(input) - (1 - target) · log(1 - σ(input)), of scores."""

    function = staticmethod(F.binary_cross_entropy_with_logits)

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", None if weight is None else as_array(weight))
        self.register_buffer("pos_weight", None if pos_weight is None else as_array(pos_weight))

    def settings(self) -> dict[str, Any]:
        """All of them."""
        names = ("weight", "pos_weight")
        return {"reduction": self.reduction} | {name: getattr(self, name) for name in names}


class BCELoss(_Loss):
    """-target · log(input) - (1 - target) · log(1 - input), of probabilities."""

    function = staticmethod(F.binary_cross_entropy)


class KLDivLoss(_Loss):
    """target · (log target - input), where `input` is log probabilities (Kullback and Leibler, 1951)."""

    function = staticmethod(F.kl_div)

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def settings(self) -> dict[str, Any]:
        """With `log_target`."""
        return {"reduction": self.reduction, "log_target": self.log_target}


class SSIMLoss(Module):
    """1 - structural similarity; see `functional.ssim`."""

    def __init__(self, data_range: float = 1.0, window_size: int = 11, sigma: float = 1.5) -> None:
        self.data_range, self.window_size, self.sigma = data_range, window_size, sigma

    def forward(self, input: Tensor, target: Any) -> Any:
        """The loss of a prediction."""
        return 1 - F.ssim(input, target, self.data_range, self.window_size, self.sigma)


class PSNRLoss(Module):
    """The peak signal-to-noise ratio in decibels, negative; see `functional.psnr`."""

    def __init__(self, data_range: float = 1.0) -> None:
        self.data_range = data_range

    def forward(self, input: Tensor, target: Any) -> Any:
        """The loss of a prediction."""
        return -F.psnr(input, target, self.data_range)


class TotalVariationLoss(Module):
    """The sum of |differences| of neighbours, of a prediction alone; see `functional.total_variation`."""

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = choice(reduction, "reduction", REDUCTIONS)

    def forward(self, input: Tensor) -> Any:
        """The loss of a prediction."""
        return F.total_variation(input, self.reduction)
