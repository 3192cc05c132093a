"""The other engines, each as a call that convolves one layer, with its weights packed where it can."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.layers import Layer

Call = Callable[[], object]


def torch_call(layer: Layer, threads: int) -> Call:
    """PyTorch, eager, NCHW."""
    import torch

    torch.set_num_threads(threads)
    x, weight, bias = (torch.from_numpy(array) for array in layer.arrays)

    def call() -> object:
        with torch.no_grad():
            return torch.nn.functional.conv2d(x, weight, bias, **layer.arguments).numpy()

    return call


def torch_channels_last(layer: Layer, threads: int) -> Call:
    """PyTorch, eager, with input and weight in channels-last memory."""
    import torch

    torch.set_num_threads(threads)
    x, weight, bias = (torch.from_numpy(array) for array in layer.arrays)
    x, weight = (t.to(memory_format=torch.channels_last) for t in (x, weight))

    def call() -> object:
        with torch.no_grad():
            return torch.nn.functional.conv2d(x, weight, bias, **layer.arguments).numpy()

    return call


def onnxruntime_call(layer: Layer, threads: int) -> Call:
    """ONNX Runtime's CPU provider."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    x, weight, bias = layer.arrays
    node = helper.make_node(
        "Conv",
        ["x", "w", "b"],
        ["y"],
        kernel_shape=[layer.kernel] * 2,
        strides=[layer.stride] * 2,
        pads=[layer.padding] * 4,
        dilations=[layer.dilation] * 2,
        group=layer.groups,
    )
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"x": x})[0]


def openvino_call(layer: Layer, threads: int) -> Call:
    """OpenVINO's CPU plug-in, held to float32."""
    import openvino
    from openvino import opset13 as ops

    x, weight, bias = layer.arrays
    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"})
    node = ops.parameter(x.shape, np.float32)
    numbers = [[layer.stride] * 2, [layer.padding] * 2, [layer.padding] * 2, [layer.dilation] * 2]
    if layer.groups == 1:
        y = ops.convolution(node, ops.constant(weight), *numbers)
    else:
        grouped = weight.reshape(layer.groups, layer.outputs // layer.groups, *weight.shape[1:])
        y = ops.group_convolution(node, ops.constant(grouped), *numbers)
    y = ops.add(y, ops.constant(bias.reshape(1, -1, 1, 1)))
    request = core.compile_model(openvino.Model([y], [node]), "CPU").create_infer_request()
    return lambda: next(iter(request.infer([x], share_inputs=True).values()))


def ncnn_call(layer: Layer, threads: int) -> Call:
    """ncnn, one image of the batch after another, float32 throughout."""
    import ncnn

    x, weight, bias = layer.arrays
    kind = "Convolution" if layer.groups == 1 else "ConvolutionDepthWise"
    parameters = {
        0: layer.outputs,
        1: layer.kernel,
        2: layer.dilation,
        3: layer.stride,
        4: layer.padding,
        5: 1,
        6: weight.size,
    }
    if layer.groups > 1:
        parameters[7] = layer.groups
    listed = " ".join(f"{key}={value}" for key, value in parameters.items())
    net = ncnn.Net()
    net.opt.num_threads = threads
    for name in ("fp16_storage", "fp16_packed", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{name}", False)
    with tempfile.TemporaryDirectory() as folder:
        text, data = Path(folder, "layer.param"), Path(folder, "layer.bin")
        text.write_text(f"7767517\n2 2\nInput in 0 1 in0\n{kind} conv 1 1 in0 out0 {listed}\n")
        data.write_bytes(b"\0\0\0\0" + weight.tobytes() + bias.tobytes())
        net.load_param(str(text))
        net.load_model(str(data))

    def call() -> list[ncnn.Mat]:
        maps = []
        for image in x:
            extractor = net.create_extractor()
            extractor.input("in0", ncnn.Mat(image))
            maps.append(extractor.extract("out0")[1])
        return maps

    shape = np.array(call()[0]).shape
    if shape != (layer.outputs, layer.output_size, layer.output_size):
        raise RuntimeError(f"ncnn gives maps of {shape} for {layer.name}")
    return call


PEERS: dict[str, Callable[[Layer, int], Call]] = {
    "torch": torch_call,
    "torch channels-last": torch_channels_last,
    "onnxruntime": onnxruntime_call,
    "openvino": openvino_call,
    "ncnn": ncnn_call,
}


EAGER = ("torch", "torch channels-last")
"""Those whose calls are given the weights."""


def installed() -> list[str]:
    """The peers that can run here."""
    needs = {name: [name.split()[0]] for name in PEERS} | {"onnxruntime": ["onnxruntime", "onnx"]}
    return [name for name in PEERS if all(find_spec(module) for module in needs[name])]
