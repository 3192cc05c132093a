"""Makes `convolutions.npz`: PyTorch's answers in float64 to calls of every parameter. Needs PyTorch 2.13.

    python tests/ops/goldens/make.py

Inputs are float32 numbers of few bits, so that they are the same in both dtypes. Each case is stored as
``<case>.x``, ``.weight``, ``.bias`` and ``.residual`` (where there is one), ``.y``, and ``.call``: the
function and its arguments as JSON.
"""

import json
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("convolutions.npz")
X = (2, 4, 7, 9)

# name: input's shape, weight's shape, bias?, arguments
CONV2D = {
    "plain": (X, (3, 4, 3, 3), False, {}),
    "bias": (X, (3, 4, 3, 3), True, {}),
    "one image": (X[1:], (3, 4, 3, 3), True, {"padding": 1}),
    "pointwise": (X, (5, 4, 1, 1), True, {}),
    "stride": (X, (3, 4, 3, 3), False, {"stride": 2}),
    "stride pair": (X, (3, 4, 3, 3), False, {"stride": [3, 2]}),
    "padding": (X, (3, 4, 3, 3), False, {"padding": 2}),
    "padding pair": (X, (3, 4, 3, 3), False, {"padding": [0, 3]}),
    "padding four": (X, (3, 4, 3, 3), False, {"padding": [0, 1, 2, 3]}),
    "same": (X, (3, 4, 3, 5), True, {"padding": "same"}),
    "same even": (X, (3, 4, 4, 2), True, {"padding": "same"}),
    "same dilated": (X, (3, 4, 2, 3), False, {"padding": "same", "dilation": [3, 2]}),
    "valid": (X, (3, 4, 2, 2), False, {"padding": "valid", "stride": 2}),
    "dilation": (X, (3, 4, 3, 3), False, {"dilation": 2}),
    "dilation pair": (X, (3, 4, 3, 3), False, {"dilation": [1, 4], "padding": [0, 4]}),
    "groups": (X, (6, 2, 3, 3), True, {"groups": 2}),
    "depthwise": (X, (4, 1, 3, 3), True, {"groups": 4, "padding": 1}),
    "depthwise multiplied": (X, (12, 1, 3, 3), True, {"groups": 4, "stride": 2}),
    "reflect": (X, (3, 4, 3, 3), False, {"padding": 6, "padding_mode": "reflect", "stride": 2}),
    "replicate": (X, (3, 4, 3, 3), False, {"padding": [9, 12], "padding_mode": "replicate", "stride": 3}),
    "circular": (
        X,
        (3, 4, 3, 3),
        True,
        {"padding": [7, 9], "padding_mode": "circular", "dilation": 2, "stride": 3},
    ),
    "constant": (X, (3, 4, 3, 3), False, {"padding": 2, "padding_mode": "constant", "cval": -1.5}),
    "all": (X, (4, 2, 3, 2), True, {"stride": [1, 2], "padding": [2, 1], "dilation": [2, 3], "groups": 2}),
    "wide": ((1, 2, 3, 70), (9, 2, 3, 5), True, {"padding": [1, 2]}),
    "deep": ((1, 90, 3, 3), (2, 90, 3, 3), True, {"padding": 1}),
}
CONV_TRANSPOSE2D = {
    "plain": (X, (4, 3, 3, 3), False, {}),
    "bias": (X, (4, 3, 3, 3), True, {}),
    "one image": (X[1:], (4, 3, 2, 2), True, {"stride": 2}),
    "stride": (X, (4, 3, 3, 3), False, {"stride": 2}),
    "stride beyond the kernel": ((1, 4, 5, 4), (4, 2, 2, 1), True, {"stride": [3, 4]}),
    "padding": (X, (4, 3, 3, 3), False, {"padding": 1}),
    "padding pair": (X, (4, 3, 3, 4), False, {"padding": [2, 3], "stride": [1, 2]}),
    "output padding": (X, (4, 2, 3, 3), True, {"stride": 2, "padding": 1, "output_padding": 1}),
    "output padding pair": (X, (4, 2, 3, 3), False, {"stride": [2, 3], "output_padding": [0, 2]}),
    "output padding below dilation": (X, (4, 2, 2, 2), False, {"dilation": 3, "output_padding": 2}),
    "output size": (X, (4, 2, 3, 3), False, {"stride": 2, "padding": 1, "output_size": [14, 17]}),
    "groups": (X, (4, 3, 3, 3), True, {"groups": 2}),
    "depthwise": (X, (4, 1, 3, 3), True, {"groups": 4, "stride": 2}),
    "dilation": (X, (4, 2, 3, 3), False, {"dilation": [2, 3]}),
    "all": (
        (1, 4, 5, 6),
        (4, 2, 3, 2),
        True,
        {"stride": [2, 3], "padding": [1, 2], "output_padding": [1, 0], "groups": 2, "dilation": [3, 2]},
    ),
}
EPILOGUE = {"activation": "leaky_relu", "negative_slope": 0.25}  # of residual + convolution
CONV2D_FINISHED = {"epilogue": (X, (3, 4, 3, 3), True, EPILOGUE | {"padding": 1})}
CONV_TRANSPOSE2D_FINISHED = {"epilogue": (X, (4, 3, 2, 1), True, EPILOGUE | {"stride": 2})}


def few_bits(rng, shape):
    return (rng.integers(-64, 65, shape) / 2.0 ** rng.integers(0, 6, shape)).astype(np.float32)


def conv2d(torch, x, weight, bias, padding=0, padding_mode="zeros", cval=0.0, **arguments):
    """By `torch.conv2d` alone where that has the padding, else after `torch.nn.functional.pad`."""
    arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
    if padding_mode == "zeros" and not (isinstance(padding, list) and len(padding) == 4):
        padding = tuple(padding) if isinstance(padding, list) else padding
        return torch.conv2d(x, weight, bias, padding=padding, **arguments)
    sides = padding if isinstance(padding, list) else [padding, padding]
    top, bottom, left, right = sides if len(sides) == 4 else (sides[0], sides[0], sides[1], sides[1])
    sides = (left, right, top, bottom)
    if padding_mode in ("zeros", "constant"):
        padded = torch.nn.functional.pad(x, sides, value=cval)
    else:
        padded = torch.nn.functional.pad(x, sides, mode=padding_mode)
    return torch.conv2d(padded, weight, bias, **arguments)


def conv_transpose2d(torch, x, weight, bias, output_size=None, **arguments):
    """By `torch.conv_transpose2d`, or by the layer, which alone takes `output_size`."""
    if output_size is not None:
        layer = torch.nn.ConvTranspose2d(
            weight.shape[0],
            weight.shape[1],
            tuple(weight.shape[2:]),
            bias=False,
            dtype=torch.float64,
            **arguments,
        )
        layer.weight.data = weight
        return layer(x, output_size=output_size)
    return torch.conv_transpose2d(x, weight, bias, **arguments)


def main():
    import torch

    rng = np.random.default_rng(2013)
    stored = {"torch": np.array(torch.__version__)}
    for function, cases in (
        (conv2d, CONV2D),
        (conv_transpose2d, CONV_TRANSPOSE2D),
        (conv2d, CONV2D_FINISHED),
        (conv_transpose2d, CONV_TRANSPOSE2D_FINISHED),
    ):
        for name, (shape, weight_shape, has_bias, arguments) in cases.items():
            case = f"{function.__name__} {name}"
            outputs = weight_shape[0] if function is conv2d else weight_shape[1] * arguments.get("groups", 1)
            arrays = {"x": few_bits(rng, shape), "weight": few_bits(rng, weight_shape)}
            if has_bias:
                arrays["bias"] = few_bits(rng, outputs)
            tensors = [torch.from_numpy(a.astype(np.float64)) for a in arrays.values()]
            others = {k: v for k, v in arguments.items() if k not in EPILOGUE}
            y = function(torch, *tensors, *[None] * (3 - len(tensors)), **others)
            if "activation" in arguments:
                arrays["residual"] = few_bits(rng, y.shape)
                y = y + torch.from_numpy(arrays["residual"].astype(np.float64))
                y = torch.nn.functional.leaky_relu(y, arguments["negative_slope"])
            arrays["y"] = y.detach().numpy()
            arrays["call"] = np.array(json.dumps([function.__name__, arguments]))
            stored |= {f"{case}.{key}": value for key, value in arrays.items()}
    np.savez_compressed(FILE, **stored)
    print(f"{FILE.name}: {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
