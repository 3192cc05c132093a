"""Learnable layers on NumPy arrays, with PyTorch's names: tensors with gradients, layers, losses, optimisers.

Called with arrays, layers and functions give arrays; called with `Tensor`, they give tensors and record what
they do, so that ``loss.backward()`` finds the gradients.
"""

from convkit.nn import functional, init, optim, schedule
from convkit.nn.activation import (
    ELU,
    GELU,
    Hardswish,
    LeakyReLU,
    LogSoftmax,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from convkit.nn.autograd import enable_grad, is_grad_enabled, no_grad
from convkit.nn.checkpoint import load_checkpoint, save_checkpoint
from convkit.nn.clip import clip_grad_norm_, clip_grad_value_
from convkit.nn.containers import Identity, ModuleDict, ModuleList, Sequential
from convkit.nn.conv import Conv1d, Conv2d, ConvTranspose2d, DepthwiseConv2d, LazyConv2d, SeparableConv2d
from convkit.nn.data import Batches, batches
from convkit.nn.dropout import Dropout, Dropout2d
from convkit.nn.filters import from_filter
from convkit.nn.fit import History, TrainingError, accuracy, fit
from convkit.nn.frozen import freeze
from convkit.nn.functional import cat, concatenate, stack, where
from convkit.nn.gradcheck import gradcheck
from convkit.nn.linear import (
    CircularPad2d,
    ConstantPad2d,
    Flatten,
    Linear,
    PixelShuffle,
    PixelUnshuffle,
    ReflectionPad2d,
    ReplicationPad2d,
    Unflatten,
    Upsample,
    ZeroPad2d,
)
from convkit.nn.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    PSNRLoss,
    SmoothL1Loss,
    SSIMLoss,
    TotalVariationLoss,
)
from convkit.nn.module import Module
from convkit.nn.norm import BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm2d, LayerNorm
from convkit.nn.parameter import Parameter
from convkit.nn.pool import AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, Fold, MaxPool2d, Unfold
from convkit.nn.random import current_generator, manual_seed
from convkit.nn.summary import summary, trace_shapes
from convkit.nn.tensor import Tensor
from convkit.nn.trace import LayerError
from convkit.nn.weights import load_weights, save_weights

__all__ = [
    "ELU",
    "GELU",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Batches",
    "CircularPad2d",
    "ConstantPad2d",
    "Conv1d",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "DepthwiseConv2d",
    "Dropout",
    "Dropout2d",
    "Flatten",
    "Fold",
    "GroupNorm",
    "Hardswish",
    "History",
    "HuberLoss",
    "Identity",
    "InstanceNorm2d",
    "KLDivLoss",
    "L1Loss",
    "LayerError",
    "LayerNorm",
    "LazyConv2d",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "PReLU",
    "PSNRLoss",
    "Parameter",
    "PixelShuffle",
    "PixelUnshuffle",
    "ReLU",
    "ReLU6",
    "ReflectionPad2d",
    "ReplicationPad2d",
    "SSIMLoss",
    "SeparableConv2d",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Tanh",
    "Tensor",
    "TotalVariationLoss",
    "TrainingError",
    "Unflatten",
    "Unfold",
    "Upsample",
    "ZeroPad2d",
    "accuracy",
    "batches",
    "cat",
    "clip_grad_norm_",
    "clip_grad_value_",
    "concatenate",
    "current_generator",
    "enable_grad",
    "fit",
    "freeze",
    "from_filter",
    "functional",
    "gradcheck",
    "init",
    "is_grad_enabled",
    "load_checkpoint",
    "load_weights",
    "manual_seed",
    "no_grad",
    "optim",
    "save_checkpoint",
    "save_weights",
    "schedule",
    "stack",
    "summary",
    "trace_shapes",
    "where",
]
