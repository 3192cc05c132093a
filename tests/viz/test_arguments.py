"""What is no argument is refused by its name: what came, what was expected, what mends it."""

import re

import numpy as np
import pytest

from convkit import nn, viz

HW = np.zeros((8, 9), np.uint8)
MODEL = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
FLAT = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
RGB, BATCH = np.zeros((8, 9, 3), np.uint8), np.zeros((2, 1, 8, 9))
X, X3 = np.zeros((1, 1, 8, 8), np.float32), np.zeros((1, 3, 8, 8), np.float32)
REFUSED = [
    (lambda: viz.compare(HW, HW, names=("a",)), ValueError, "names is ('a',); expected 2 texts: names=("),
    (lambda: viz.compare(HW, HW, names="ab"), TypeError, "names is 'ab'; expected 2 texts"),
    (lambda: viz.compare(HW, HW, difference="yes"), TypeError, "difference is 'yes'; expected True or False"),
    (lambda: viz.show(HW, limits=3), TypeError, "limits is 3; expected (black, white): limits=(0, 1)"),
    (lambda: viz.show(HW, limits=(0, 1, 2)), ValueError, "limits is (0, 1, 2); expected (black, white)"),
    (lambda: viz.kernel_bank(["sobel('x')"]), TypeError, "kernels is list; expected names"),
    (lambda: viz.kernel_bank(np.zeros((2, 3, 3))), TypeError, "kernels is ndarray; expected names"),
    (lambda: viz.kernel_bank({1: [[1]]}), TypeError, "kernels has the key 1; expected texts"),
    (lambda: viz.kernel_bank({"a": None}), TypeError, "kernels['a'] is None; expected an array"),
    (lambda: viz.kernel([[1]], annotate="no"), TypeError, "annotate is 'no'; expected True or False"),
    (lambda: viz.contact_sheet([HW]), TypeError, 'images is list; expected names'),
    (lambda: viz.contact_sheet({"a": HW}, cyclic=["b"]), ValueError, "cyclic is ['b']; expected names"),
    (lambda: viz.contact_sheet({"a": HW}, cyclic=3), ValueError, "cyclic is 3; expected names among 'a'"),
    (lambda: viz.history({"loss": [1.0]}), TypeError, "fit is dict; expected what nn.fit gives"),
    (lambda: viz.feature_maps("m", X, "0"), TypeError, "model is str; expected a convkit.nn.Module"),
    (lambda: viz.feature_maps(MODEL, X, 0), ValueError, "or its name, one of '0', '1': pass '0'"),
    (lambda: viz.feature_maps(MODEL[0], X, "0"), ValueError, "this model has none within, pass layer=model"),
    (lambda: viz.weights(MODEL), TypeError, "expected a convolution: pass model.get_submodule('0')"),
    (lambda: viz.weights(None), TypeError, "layer is None; expected an array"),
    (lambda: viz.receptive_field(None, X), TypeError, "model is NoneType; expected a convkit.nn.Module"),
    (lambda: viz.receptive_field(MODEL, X[0, 0]), ValueError, "image has shape (8, 8); expected BCHW or CHW"),
    (lambda: viz.alt_text(3), TypeError, "figure is int; expected matplotlib.figure.Figure"),
    (lambda: viz.alt_text(viz.show(HW).axes[0]), TypeError, "figure is Axes; expected matplotlib.figure"),
    (lambda: viz.rendered(3), TypeError, "figure is int; expected matplotlib.figure.Figure"),
    (lambda: viz.layout_diagram(3), TypeError, "shape is 3; expected (height, width, channels)"),
    (lambda: viz.layout_diagram(HW), TypeError, "shape is an array; expected (height, width, chan"),
    (lambda: viz.shape_trace("relu", 32), TypeError, "input is 32; expected a shape, (C, H, W)"),
    (lambda: viz.shape_trace(None, (3, 8, 8)), TypeError, "model is NoneType; expected text such as"),
    (lambda: viz.shape_trace(X, (3, 8, 8)), TypeError, "model is ndarray; expected text such as"),
    (lambda: viz.shape_trace("relu", nn.Tensor(X)), TypeError, "input is an array; expected a shape, (C,"),
    (lambda: viz.shape_trace(["relu"], (3, 8, 8)), TypeError, 'expected one text: pass " | ".join(model)'),
    (lambda: viz.trace_steps("conv(3, 0)", (3, 8, 8)), ValueError, "conv(3, 0): kernel is 0; expected at"),
    (lambda: viz.trace_steps("convv(3, 3)", (3, 8, 8)), ValueError, "did you mean conv or deconv or Conv2d?"),
    (lambda: viz.trace_steps("Conv2d(16, 3)", (3, 8, 8)), ValueError, "expected Conv2d(in_channels, out_cha"),
    (lambda: viz.trace_steps(None, (3, 8, 8)), TypeError, "layers is NoneType; expected text"),
    (lambda: viz.edges_overlay(HW, HW[1:]), ValueError, 'edges of this image, found with any bo'),
    (lambda: viz.edges_overlay(BATCH, HW), ValueError, "2 images; expected one: pass image[0], or viz"),
    (lambda: viz.compare(BATCH, HW), ValueError, "before has shape (2, 1, 8, 9), 2 images; expected"),
    (lambda: viz.compare(HW, np.zeros((8, 9, 5))), ValueError, "enumerate(after.transpose(2, 0, 1))} to"),
    (lambda: viz.show(np.zeros((2, 5, 8, 9))), ValueError, "plane for i, plane in enumerate(image[0])}"),
    (lambda: viz.compare(HW, HW[1:], difference=True), ValueError, "or ck.resize(after, (8, 9))"),
    (lambda: viz.compare(HW, RGB, difference=True), ValueError, "difference=False, or ck.to_gray(after)"),
    (lambda: viz.orientation(HW + 90), ValueError, "angle holds 90, more than a whole turn; expected rad"),
    (lambda: viz.orientation(HW + 90, HW), ValueError, "pass orientation(angle, magnitude), in this order"),
    (lambda: viz.weights(nn.Conv1d(3, 4, 3)), ValueError, "pass layer.weight.data[:, :, None]"),
    (lambda: viz.weights(nn.Linear(3, 4)), ValueError, "a convolution, and those of a Linear to viz.show"),
    (lambda: viz.feature_maps(FLAT, X3, "1"), ValueError, "pass a layer before those that flatten"),
    (lambda: viz.receptive_field(FLAT, X3), ValueError, "pass a layer before those that flatten"),
    (lambda: viz.feature_maps(FLAT, RGB, "0"), nn.LayerError, 'ck.to_bchw(image, scale="unit")'),
    (lambda: MODEL(None), TypeError, "Conv2d got None; expected an array or a nn.Tensor: a forward wit"),
    (lambda: nn.MSELoss()(X, None), TypeError, "MSELoss got None; expected an array or a nn.Tensor"),
    (lambda: nn.trace_shapes(["relu"], 8), TypeError, 'keys: pass " | ".join(layers) to viz.trace'),
    (lambda: nn.trace_shapes([nn], (1, 8, 8)), TypeError, "expected a convkit.nn.Module, a tuple"),
    (lambda: nn.ReLU()("a.png"), TypeError, 'ReLU got str; expected an array or a nn.Tensor: pass ck.to_b'),
    (lambda: nn.Linear(3, 2)({}), TypeError, "Linear got dict; expected an array or a nn.Tensor: pass one"),
    (lambda: viz.edges_overlay(HW, HW, color="no"), ValueError, "color is 'no'; expected one of matplot"),
    (lambda: nn.summary("m", (1, 8, 8)), TypeError, "model is str; expected a convkit.nn.Module"),
    (lambda: nn.summary(MODEL, 3), TypeError, "input_shape is 3; expected (B, C, H, W)"),
    (lambda: nn.trace_shapes(3, (1, 8, 8)), TypeError, "layers is int; expected a model, or a list"),
    (lambda: viz.trace_steps("relu(inplace=True)", (3, 8, 8)), ValueError, "'inplace'; expected e.g. 'conv"),
    (lambda: nn.trace_shapes(MODEL, None), TypeError, "size is None; expected an integer, (H, W)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "told"), REFUSED, ids=[told[:32] for *_, told in REFUSED])
def test_what_is_no_argument_is_refused_by_its_name(call, error, told):
    with pytest.raises(error, match=re.escape(told)):
        call()


def test_images_take_the_models_dtype():
    double = nn.Sequential(nn.Conv2d(1, 2, 3)).double()
    for draw in (lambda: viz.feature_maps(double, X, "0"), lambda: viz.receptive_field(double, X)):
        assert "shape" not in viz.alt_text(draw())
