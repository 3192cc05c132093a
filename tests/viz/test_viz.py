"""What the figures show, read from their axes."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import convkit as ck
from convkit import viz

rng = np.random.default_rng(11)
PHOTO = rng.integers(0, 256, (12, 40, 3), np.uint8)


def shown(figure):
    return figure.axes[0].images[0].get_array()


# ---- images -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize(
    "shape", [(9, 12), (9, 12, 3), (3, 9, 12), (2, 9, 12, 3), (5, 1, 9, 12), (2, 4, 9, 12)]
)
def test_any_layout_and_dtype_is_shown(dtype, shape):
    viz.rendered(viz.show(rng.integers(0, 200, shape).astype(dtype)))


def test_layouts_show_the_same_picture():
    planes = ck.to_chw(PHOTO)
    for array in (PHOTO, planes, PHOTO[None], planes[None]):
        np.testing.assert_array_equal(shown(viz.show(array)), PHOTO)
    np.testing.assert_array_equal(shown(viz.show(PHOTO[..., ::-1], order="bgr")), PHOTO)


@pytest.mark.parametrize("stray", [np.nan, np.inf])
def test_a_stray_number_leaves_a_photo_its_colours(stray):
    photo = np.random.default_rng(0).random((9, 8, 3))
    photo[2, 3, 1] = stray
    figure = viz.show(photo)
    shown = np.asarray(figure.axes[0].images[0].get_array())
    photo[2, 3, 1] = 0
    np.testing.assert_array_equal(shown, photo)
    assert "nan" not in viz.alt_text(figure)
    assert "1 not finite" in viz.alt_text(figure)


def test_numbers_just_outside_the_range_leave_a_photo_its_colours():
    photo = PHOTO / 255
    stray = photo.copy()
    stray[2, 3, 1], stray[4, 5, 0] = 1.2, -0.1
    figure = viz.show(stray)
    np.testing.assert_array_equal(shown(figure), np.clip(stray, 0, 1))
    assert "-0.1 … 1.2   shown from 0 to 1" in figure.axes[0].get_xlabel()
    assert "shown" not in viz.show(photo).axes[0].get_xlabel()
    sharp = ck.filters.unsharp_mask(ck.filters.gaussian(photo, 1.0), 1.0)
    assert shown(viz.show(sharp)).ndim == 3
    for no_photo in (photo * 3, photo - 0.5, ck.filters.laplacian(photo) / 20):
        assert shown(viz.show(no_photo)).ndim == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int32, np.int64])
def test_a_photo_of_0_to_255_keeps_its_colours_in_a_wider_dtype(dtype):
    photo = PHOTO.astype(dtype)
    for array in (photo, photo.transpose(2, 0, 1)):
        figure = viz.show(array)
        np.testing.assert_array_equal(shown(figure), PHOTO)
        assert "of 0 … 255, as 8-bit colours" in figure.axes[0].get_xlabel()
        assert "8-bit" not in viz.show(array, limits=(0, 200)).axes[0].get_xlabel()
    np.testing.assert_array_equal(shown(viz.compare(photo, photo)), PHOTO)
    for no_photo in (photo - 1 - photo.min(), photo + 300, photo[..., 0]):
        assert shown(viz.show(no_photo)).ndim == 2


def test_limits_undo_a_normalisation():
    batch = ck.to_bchw(PHOTO, scale="unit", mean=0.5, std=0.25)
    np.testing.assert_allclose(shown(viz.show(batch, limits=(-2, 2))), PHOTO / 255, atol=1e-6)


def test_a_batch_lies_on_a_grid():
    batch = np.arange(3, dtype=np.uint8).repeat(64).reshape(3, 1, 8, 8)
    grid = shown(viz.show(batch))
    assert grid.shape == (17, 17)
    assert (grid[0, 0], grid[0, 9], grid[9, 0]) == (0, 1, 2)


def test_ambiguous_arrays_are_refused_or_named():
    with pytest.raises(ValueError, match=r"image has shape \(9, 12, 7\)"):
        viz.show(np.zeros((9, 12, 7)))
    with pytest.raises(ValueError, match="which is no CHW"):
        viz.show(np.zeros((9, 12, 3)), layout="CHW")
    assert viz.show(np.zeros((3, 5, 3)), layout="CHW").axes[0].get_xlabel().startswith("CHW")
    with pytest.raises(ValueError, match="limits"):
        viz.show(np.zeros((9, 12)), limits=(1, 1))


def test_a_difference_is_what_it_says():
    brighter = (PHOTO // 2 + 5).astype(np.uint8)
    figure = viz.compare(PHOTO // 2, brighter)
    assert figure.axes[2].get_xlabel() == "largest 5, root mean square 5"
    assert len(viz.compare(PHOTO, ck.to_gray(PHOTO)).axes) == 2
    with pytest.raises(ValueError, match="one shape for a difference"):
        viz.compare(PHOTO, ck.to_gray(PHOTO), difference=True)


def test_one_image_of_any_layout_is_compared_and_drawn_over():
    edges = ck.filters.canny(ck.to_gray(PHOTO), 50, 100)
    for array in (PHOTO, ck.to_chw(PHOTO), PHOTO[None], ck.to_chw(PHOTO)[None]):
        before, after, difference = (ax.images[0].get_array() for ax in viz.compare(array, PHOTO).axes[:3])
        np.testing.assert_array_equal(before, after)
        assert not difference.any()
        for found in (edges, edges[..., None], edges[None, None]):
            over, ink = (image.get_array() for image in viz.edges_overlay(array, found).axes[0].images)
            np.testing.assert_array_equal(over, ck.to_gray(PHOTO))
            np.testing.assert_array_equal(ink[..., 3], edges / 255)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.float16, np.uint32, np.float32])
def test_edges_lie_over_whatever_show_takes(dtype):
    photo = PHOTO > 99 if dtype is bool else (PHOTO // 3).astype(dtype)
    for image in (photo, photo[..., 0], ck.to_chw(PHOTO / 255).astype(dtype)):
        viz.show(image)
        assert shown(viz.edges_overlay(image, np.eye(12, 40))).shape == (12, 40)


def test_directions_that_are_none_are_black_and_those_of_float32_within_a_turn():
    angle = np.array([[np.nan, 0.1], [np.float32(2 * np.pi), -np.inf]], np.float32)
    drawn = shown(viz.orientation(angle))
    assert (drawn.sum(axis=2) > 0).tolist() == [[False, True], [True, False]]
    figure = viz.orientation(np.zeros((2, 2)), np.array([[np.nan, 1], [1, np.inf]]))
    assert (shown(figure).sum(axis=2) > 0).tolist() == [[False, True], [True, False]]


def test_edges_of_another_size_are_refused():
    with pytest.raises(ValueError, match="edges has shape"):
        viz.edges_overlay(PHOTO, np.zeros((3, 3)))
    with pytest.raises(ValueError, match="angle has shape"):
        viz.orientation(np.zeros((3, 3)), np.zeros((3, 4)))


def test_opposite_directions_differ_for_any_colour_vision():
    """In lightness, or in blue against yellow: what every colour vision tells apart."""
    from convkit.viz.orientation import coloured

    right, down, left, up = coloured(np.array([0, np.pi / 2, np.pi, -np.pi / 2]), np.ones(4))
    assert right[2] - left[2] > 0.3
    assert (down - up) @ [0.2126, 0.7152, 0.0722] > 0.2


# ---- kernels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["sobel('x')", "scharr('y')", "laplacian(ksize=5)", "gaussian(sigma=(1, 2))", "sharpen"]
)
def test_a_filter_is_its_kernel(name):
    image = rng.standard_normal((40, 44))
    weights = viz.kernel_of(name)
    np.testing.assert_allclose(ck.filters.filter2d(image, weights), ck.Pipeline(name)(image), atol=1e-9)


def test_a_chain_is_the_convolution_of_its_kernels():
    weights = viz.kernel_of("gaussian(sigma=1) | sobel('x')")
    assert weights.shape == (11, 11)
    np.testing.assert_allclose(weights.sum(), 0, atol=1e-12)


def test_an_off_centre_kernel_keeps_its_place():
    weights = viz.kernel_of("filter2d(kernel=[[1, 2, 3]], anchor=(0, 0))")
    assert weights[0].tolist() == [0, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("valid", "same"),
    [
        ("sobel('x', border='valid')", "sobel('x')"),
        ("gaussian(2, border='valid')", "gaussian(2)"),
        (
            "gaussian(1, border='valid') | sobel('x') | box(3, border='valid')",
            "gaussian(1) | sobel('x') | box(3)",
        ),
        (
            "filter2d([[1, 2, 3, 4]], anchor=(0, 0), border='valid') | box((3, 1))",
            "filter2d([[1, 2, 3, 4]], anchor=(0, 0)) | box((3, 1))",
        ),
    ],
)
def test_a_border_that_is_left_out_changes_no_kernel(valid, same):
    np.testing.assert_array_equal(viz.kernel_of(valid), viz.kernel_of(same))


@pytest.mark.parametrize("name", ["sobel", "median(size=3)", "canny(low=1, high=2)", "erode(footprint=3)"])
def test_what_is_not_linear_has_no_kernel(name):
    with pytest.raises(ValueError, match="linear"):
        viz.kernel_of(name)


def test_weights_are_written_into_their_squares():
    figure = viz.kernel([[0.5, -1], [0, 2]])
    assert [text.get_text() for text in figure.axes[0].texts] == [".5", "-1", "0", "2"]


def test_numbers_of_a_kernel_are_read_or_left_out():
    axes = Figure(figsize=(9, 6)).subplots(2, 3)
    for ax, kernel in zip(
        axes.flat, ["gaussian(sigma=1)", "gaussian(sigma=0.6)", "sobel('x')"], strict=False
    ):
        viz.kernel(kernel, ax=ax)
    assert [len(ax.texts) for ax in axes[0]] == [0, 25, 9]
    viz.kernel("gaussian(sigma=3)", annotate=True, ax=axes[1, 0])
    assert "numbers too small to read left out" in axes[1, 0].get_xlabel()
    own = viz.kernel("gaussian(sigma=3)", annotate=True)
    assert len(own.axes[0].texts) == 25 * 25
    _apart(own, own.axes[0].texts)
    for ax in axes.flat:
        _apart(ax.figure, ax.texts)


def _apart(figure, texts):
    """All of at least 5 points, and none over another."""
    viz.rendered(figure)
    boxes = [text.get_window_extent().shrunk(0.97, 0.8) for text in texts]
    assert all(text.get_fontsize() >= 5 for text in texts)
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


def test_numbers_of_any_size_are_short():
    texts = viz.kernel([[1e300, -12345.6, 99.7, -1e-300]]).axes[0].texts
    assert [text.get_text() for text in texts] == ["1e+300", "-12346", "100", "-1e-300"]


def test_a_response_starts_at_the_sum_of_the_weights():
    line = viz.frequency_response("box(size=3)").axes[1].lines[0]
    frequency, kept = line.get_xdata(), line.get_ydata()
    np.testing.assert_allclose(kept, np.abs(1 + 2 * np.cos(2 * np.pi * frequency)) / 3, atol=1e-12)


def test_a_bank_needs_kernels():
    with pytest.raises(ValueError, match="kernels is empty"):
        viz.kernel_bank({})


# ---- geometry ---------------------------------------------------------------------------------------


def test_windows_read_what_the_convolution_reads():
    """The taps that are drawn are the pixels that an output depends on, forward and transposed."""
    from convkit.viz.geometry import _sides

    for _ in range(150):
        size, kernel, stride, dilation = (int(rng.integers(1, n)) for n in (9, 5, 4, 4))
        padding, transposed = int(rng.integers(0, 4)), bool(rng.integers(2))
        x = np.zeros((size, 1, size, size), np.float64)
        x[np.arange(size), 0, np.arange(size), np.arange(size)] = 1  # a batch: image i has pixel (i, i)
        weight = np.ones((1, 1, kernel, kernel))
        options = {"stride": stride, "padding": padding, "dilation": dilation}
        try:
            y = (ck.conv_transpose2d if transposed else ck.conv2d)(x, weight, **options)
        except ValueError:
            with pytest.raises(ValueError, match=r"output|padding"):
                _sides(size, kernel, stride, padding, dilation, 0, transposed)
            continue
        side, _ = _sides(size, kernel, stride, padding, dilation, 0, transposed)
        assert side.output == y.shape[2]
        for i in range(side.output):
            read = [tap // side.spread for tap in side.taps(i) if side.holds(tap)]
            assert np.flatnonzero(y[:, 0, i, i] != 0).tolist() == sorted(read)
        assert side.taps(side.output - 1)[-1] <= side.last


def test_the_figure_of_stride_and_padding():
    """The three settings that beginners compare on 32×32: what is written below the outputs is right."""
    figure = Figure()
    for ax, settings in zip(figure.subplots(1, 3), [(3, 1, 1), (3, 2, 1), (5, 1, 0)], strict=True):
        viz.conv_geometry(32, *settings, ax=ax)
    written = [text.get_text() for ax in figure.axes for text in ax.texts if "output" in text.get_text()]
    assert written == ["output 32×32", "output 16×16", "output 28×28"]


@pytest.mark.parametrize(("size", "kernel", "stride"), [(5, 3, 2), (32, 3, 1), (128, 3, 1), (32, 3, 2)])
def test_a_hop_is_as_long_as_the_stride_and_whole(size, kernel, stride):
    for ax in (None, Figure(figsize=(9.6, 2.6)).subplots(1, 3)[0]):
        ax = viz.conv_geometry(size, kernel, stride, ax=ax).axes[0]
        (arrow,) = [patch for patch in ax.patches if type(patch).__name__ == "Polygon"]
        (left, low), (right, high) = (
            arrow.get_path().vertices.min(axis=0),
            arrow.get_path().vertices.max(axis=0),
        )
        assert (left, right) == (kernel - 0.5, kernel - 0.5 + stride)  # from this window's end to the next's
        assert ax.get_ylim()[1] < low < high < -0.5


def test_impossible_geometry_is_refused():
    with pytest.raises(ValueError, match="effective kernel 7"):
        viz.conv_geometry(3, 7)
    with pytest.raises(ValueError, match="expected a pixel of the 3×3 output"):
        viz.conv_geometry(5, 3, step=9)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((224, 3), "the input has 224 pixels on a side; expected at most 128"),
        ((127, 3, 1, 1), "the input with its padding and holes has 129 pixels on a side"),
        ((64, 2, 2, 0, 1, 0, True), "the input with its padding and holes has 129 pixels on a side"),
    ],
)
def test_what_cannot_be_seen_is_refused_by_one_rule(arguments, told):
    with pytest.raises(ValueError, match=told):
        viz.conv_geometry(*arguments)
    smaller = (arguments[0] // 8, *arguments[1:])
    assert "window slides" in viz.alt_text(viz.conv_geometry(*smaller))
    with pytest.raises(ValueError, match="for transposed=True"):
        viz.conv_geometry(5, 3, output_padding=1)
    with pytest.raises(ValueError, match="smaller input_size"):
        viz.conv_animation(30, 3)


def test_an_animation_is_written(tmp_path):
    animation = viz.conv_animation(3, 2, title="four stops")
    animation.save(tmp_path / "window.gif", dpi=30)
    from PIL import Image

    with Image.open(tmp_path / "window.gif") as gif:
        assert gif.n_frames == 4


def test_a_film_without_ffmpeg_says_what_to_install(tmp_path, monkeypatch):
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "animation.ffmpeg_path", "no such program")
    animation = viz.conv_animation(3, 2)
    with pytest.raises(RuntimeError, match=r"window.mp4 needs ffmpeg.*apt install ffmpeg.*gif"):
        animation.save(tmp_path / "window.mp4")
    with pytest.raises(RuntimeError, match=r"needs ffmpeg.*to_jshtml"):
        animation.to_html5_video()


def test_the_layouts_are_named_with_their_shapes():
    written = [text.get_text() for text in viz.layout_diagram((480, 640, 3)).axes[0].texts]
    assert {"(480, 640, 3)", "(3, 480, 640)", "(1, 3, 480, 640)"} <= set(written)
    with pytest.raises(ValueError, match="channels"):
        viz.layout_diagram((3, 480, 640))


# ---- manners ----------------------------------------------------------------------------------------


def test_figures_draw_where_they_are_told():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert viz.show(PHOTO, ax=left) is figure
    assert viz.kernel("sobel('x')", ax=right) is figure
    parts = Figure().subfigures(1, 2)
    assert viz.compare(PHOTO, PHOTO, figure=parts[1]) is parts[1].figure
    with pytest.raises(TypeError, match="ax is int"):
        viz.show(PHOTO, ax=3)


@pytest.mark.parametrize("title", ["a title that goes on " * 5, "pressed" * 14, "first\n" + "second " * 12])
def test_long_titles_are_not_cut(title):
    figures = [
        viz.show(PHOTO, title=title),
        viz.compare(PHOTO, PHOTO, title=title),
        viz.kernel("sobel('x')", title=title),
        viz.kernel_bank(dict.fromkeys("abcd", "sobel('x')"), title=title),
        viz.contact_sheet({"a": PHOTO}, title=title),
        viz.conv_geometry(5, 3, title=title),
        viz.layout_diagram(title=title),
        viz.shape_trace("relu | relu | relu", (3, 8, 8), title=title),
        viz.frequency_response("box(size=3)", title=title),
        viz.weights(np.ones((2, 3, 3, 3)), title=title),
    ]
    for figure in figures:
        viz.rendered(figure)
        (width, height), drawn = figure.get_size_inches(), figure.get_tightbbox()
        assert min(drawn.x0, drawn.y0, width - drawn.x1, height - drawn.y1) > -0.02, viz.alt_text(figure)


def test_pyplot_stays_away(run_python):
    code = (
        "import sys, numpy as np; from convkit import viz; assert 'matplotlib' not in sys.modules;"
        "viz.rendered(viz.show(np.eye(9))); viz.conv_animation(3, 2); viz.kernel_bank({'a': 'laplacian'});"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    assert run_python(code, MPLBACKEND="Agg") == "False"


@pytest.mark.parametrize("kernel", ["box(size=2)", "box(size=4)", "laplacian", [[0.1, 0.2, -0.3]]])
def test_what_a_kernel_takes_away_is_said_without_the_noise_of_rounding(kernel):
    said = viz.alt_text(viz.frequency_response(kernel))
    assert "e-" not in said
    assert ": 0 of a constant" in said or " 0 of the finest" in said


# ---- traces -----------------------------------------------------------------------------------------


def test_a_trace_counts_as_pytorch_does():
    text = "conv(16, 3, stride=2, padding=1) | batchnorm | relu | conv(32, 3, groups=16) | pool(2)"
    text += " | flatten | linear(10)"
    steps = viz.trace_steps(text, (3, 32, 32))
    assert [s.gave for s in steps if s.gave != s.given] == [
        (16, 16, 16),
        (32, 14, 14),
        (32, 7, 7),
        (1568,),
        (10,),
    ]
    assert [s.parameters for s in steps] == [448, 32, 0, 320, 0, 0, 15690]
    assert viz.trace_steps("conv_transpose(8, 4, stride=2, padding=1)", (16, 7, 7))[0][2:4] == (
        (8, 14, 14),
        2056,
    )


@pytest.mark.parametrize(
    ("layers", "note", "mend"),
    [
        ("pool(2) | pool(2) | pool(2) | conv(8, 5)", "would be 0", "halve the map too often"),
        ("conv(8, 3, groups=2)", "does not divide 3 input", "groups=1: 1 is a plain convolution"),
        ("conv(8, 1) | conv(12, 3, groups=3)", "does not divide 8 input", "groups=1, 2 or 4: 1 is a plain"),
        ("conv(8, 3) | linear(10)", "takes one axis", "flatten"),
        ("flatten | conv(8, 3)", "a map is needed", "at the end"),
    ],
)
def test_a_break_is_told_and_drawn_in_red(layers, note, mend):
    steps = viz.trace_steps(layers, (3, 34, 34))
    assert steps[-1].gave is None
    assert note in steps[-1].note
    assert mend in steps[-1].mend
    written = [
        text for text in viz.shape_trace(layers, (3, 34, 34)).axes[0].texts if text.get_text() == "breaks"
    ]
    assert [text.get_color() for text in written] == ["#b3401a"]


@pytest.mark.parametrize(
    ("layers", "same"),
    [
        ("Conv2d(3, 16, kernel_size=(3, 3), stride=(2, 2), bias=False)", "conv(16, 3, stride=2, bias=False)"),
        (
            "nn.Conv2d(3, 6, 3, padding=same, groups=3)|ReLU(inplace=True)",
            "conv(6, 3, padding=1, groups=3)|relu",
        ),
        ("MaxPool2d(2) | torch.nn.Flatten() | Linear(192, 10)", "max_pool(2) | flatten | fc(10)"),
        ("BatchNorm2d(3) | AdaptiveAvgPool2d(1) | Flatten", "bn | GAP"),
        ("ConvTranspose2d(3, 4, 2, stride=2)", "deconv(out_channels=4, kernel_size=2, stride=2)"),
        ("DepthwiseConv2d(3, 3)", "depthwise(3)"),
    ],
)
def test_pytorchs_names_and_other_usual_words_are_traced(layers, same):
    traced = [viz.trace_steps(text, (3, 16, 16)) for text in (layers, same)]
    assert len({(steps[-1].gave, sum(step.parameters for step in steps)) for steps in traced}) == 1
    assert traced[0][-1].gave is not None


def test_a_layer_of_pytorchs_that_does_not_fit_is_told_as_the_layer_tells_it():
    step = viz.trace_steps("conv(16, 3) | Conv2d(3, 8, 3)", (3, 16, 16))[-1]
    assert step.gave is None
    assert "what comes before gives 16 channels" in step.note
    assert step.mend == "nn.Conv2d(16, 8, ...)"


@pytest.mark.parametrize("layers", ["conv(8", "conv(x, 3)", "fancy(3)", "conv()", "conv(8, 3, turns=2)", ""])
def test_texts_that_are_no_layers(layers):
    with pytest.raises(ValueError, match="expected"):
        viz.trace_steps(layers, (3, 32, 32))


# ---- small axes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "across"), [((6.4, 4.8), 1), ((12, 3.2), 3), ((9, 3), 2)])
@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: viz.layout_diagram(ax=ax),
        lambda ax: viz.layout_diagram((1080, 1920, 3), ax=ax),
        lambda ax: viz.shape_trace("conv(8, 3, stride=2) | relu | pool(2) | flatten", (3, 32, 32), ax=ax),
        lambda ax: viz.shape_trace(
            "conv(64, 7, stride=2, padding=3) | relu | pool(2) | conv(128, 3) | linear(10)",
            (3, 224, 224),
            ax=ax,
        ),
    ],
)
def test_writing_in_axes_of_common_sizes_does_not_overlap(size, across, draw):
    figure = Figure(figsize=size)
    ax = figure.subplots(1, across, squeeze=False)[0, 0]
    draw(ax)
    viz.rendered(figure)
    written = [text for text in ax.texts if text.get_text()]
    assert len(written) >= 4
    assert min(text.get_fontsize() for text in written) >= 4
    boxes = [text.get_window_extent().shrunk(0.97, 0.8) for text in written]
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


@pytest.mark.parametrize("size", [(6.4, 4.8), (12, 4), (9, 3)])
@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: viz.layout_diagram(ax=ax),
        lambda ax: viz.layout_diagram((1080, 1920, 1), ax=ax),
        lambda ax: viz.layout_diagram((8, 8, 4), ax=ax),
        lambda ax: viz.conv_geometry(1, 1, ax=ax),
        lambda ax: viz.conv_geometry((3, 20), (1, 7), 2, ax=ax),
        lambda ax: viz.conv_geometry(128, 3, ax=ax),
        lambda ax: viz.shape_trace("conv(8, 3, stride=2) | relu | pool(20)", (3, 32, 32), ax=ax),
    ],
)
def test_writing_stays_on_its_paper(size, draw):
    """Beside it, it would be dark on the dark figure of someone else."""
    figure = Figure(figsize=size)
    ax = figure.subplots(1, 3)[0] if size[0] > 7 else figure.subplots()
    draw(ax)
    viz.rendered(figure)
    paper = ax.get_window_extent()
    boxes = {text.get_text(): text.get_window_extent() for text in ax.texts if text.get_text()}
    assert not [t for t, b in boxes.items() if b.x0 < paper.x0 or b.x1 > paper.x1 or b.y0 < paper.y0]
    frames = [patch for patch in ax.patches if type(patch).__name__ == "FancyBboxPatch"]
    edges = [patch.get_window_extent() for patch in frames if patch.get_linestyle() == "--"]
    assert not [t for t, b in boxes.items() for e in edges if b.overlaps(e)]


def test_what_reads_below_the_grid_does_not_touch_it():
    ax = viz.conv_geometry(128, kernel=1).axes[0]
    viz.rendered(ax.figure)
    bottom = ax.transData.transform((0, 127.5))[1]
    below = [text for text in ax.texts if "128×128" in text.get_text()]
    assert len(below) == 2
    assert all(text.get_window_extent().y1 <= bottom - 2 for text in below)


# ---- in words ---------------------------------------------------------------------------------------


def test_parts_of_a_figure_are_told_each():
    whole = Figure()
    left, right = whole.subfigures(1, 2)
    viz.compare(PHOTO, PHOTO, title="left", figure=left)
    viz.kernel_bank({"x": "sobel('x')"}, title="right", figure=right)
    assert viz.alt_text(whole) == "left: before and after, and their difference. right: the kernels x"


def test_words_tell_why_a_layer_refuses_and_what_reshape_does():
    said = viz.alt_text(viz.shape_trace("pool(40)", (3, 9, 9)))
    assert "pool(40) refuses: the output height would be" in said
    said = viz.alt_text(viz.layout_diagram((9, 8, 3)))
    assert "reshape(3, 9, 8) gives this shape too, and scrambles" in said


@pytest.mark.parametrize("shape", [(9, 8, 1), (1, 1, 3)])
def test_a_reshape_that_changes_nothing_is_not_called_wrong(shape):
    image = np.arange(np.prod(shape)).reshape(shape)
    np.testing.assert_array_equal(image.reshape(shape[2], *shape[:2]), image.transpose(2, 0, 1))
    said = viz.alt_text(viz.layout_diagram(shape))
    assert "the same pixels" in said or "the same numbers" in said


def test_what_is_not_finite_is_told_of_edges_and_directions():
    gray = ck.to_gray(PHOTO)
    edges = ck.filters.sobel(gray)
    whole = viz.edges_overlay(gray, edges).axes[0].images[1].get_array()
    edges[3, 4], edges[5, 6] = np.nan, np.inf
    figure = viz.edges_overlay(gray, edges, title="sobel")
    opaque = figure.axes[0].images[1].get_array()[..., 3]
    assert opaque[3, 4] == opaque[5, 6] == 0
    assert np.abs(opaque - whole[..., 3]).mean() < 0.01
    assert figure.axes[0].get_xlabel() == "2 not finite"
    assert viz.alt_text(figure).startswith("sobel: edges over the image, on ")
    assert viz.alt_text(figure).endswith(", 2 not finite")
    figure = viz.orientation(np.array([[np.nan, 1.0]]), np.array([[1.0, np.inf]]))
    assert figure.axes[0].get_xlabel() == "2 not finite"
    assert viz.alt_text(figure).endswith(", 2 not finite")


def test_what_is_not_finite_is_told_of_a_difference():
    before = np.zeros((4, 5))
    after = before + 2
    after[1, 2] = np.nan
    figure = viz.compare(before, after)
    assert figure.axes[2].get_xlabel() == "largest 2, root mean square 2, 1 not finite"
    assert viz.alt_text(figure).endswith("and their difference, 1 not finite")


def test_the_largest_difference_has_its_sign():
    before = np.full((4, 5), 250, np.uint8)
    after = before.copy()
    after[1, 2] = 5
    assert viz.compare(before, after).axes[2].get_xlabel().startswith("largest -245, ")


def test_pixels_under_no_window_are_hatched_and_told():
    figure = viz.conv_geometry(8, kernel=3, stride=2, padding=1)
    (hatched,) = [c for c in figure.axes[0].collections if c.get_hatch()]
    assert len(hatched.get_paths()) == 19  # a row and a column of 10
    assert viz.alt_text(figure).startswith("A 3×3 window slides over an 8×8 input")
    assert viz.alt_text(figure).endswith("4×4; 1 row and 1 column lie under no window")
    whole = viz.conv_geometry(7, kernel=3, stride=2, padding=1)
    assert not [path for c in whole.axes[0].collections if c.get_hatch() for path in c.get_paths()]
    assert "under no window" not in viz.alt_text(whole)
    assert viz.alt_text(viz.conv_geometry((5, 9), 1, 2)).endswith(
        "; 2 rows and 4 columns lie under no window"
    )


@pytest.mark.parametrize("draw", [lambda part: viz.frequency_response("box(size=3)", figure=part)])
def test_a_heading_keeps_its_distance(draw):
    whole = Figure(figsize=(9, 8))
    part, _ = whole.subfigures(2, 1)
    draw(part)
    viz.rendered(whole)
    heading = part._suptitle.get_window_extent()
    assert all(ax.title.get_window_extent().y1 < heading.y0 - 3 for ax in part.axes)


def test_lines_of_one_pixel_outlive_a_picture_drawn_smaller():
    photo = np.full((2600, 2000), 128, np.uint8)
    edges = np.zeros(photo.shape, np.uint8)
    edges[::400] = edges[:, ::400] = 255
    pixels = viz.rendered(viz.edges_overlay(photo, edges)).astype(int)
    coloured = np.ptp(pixels[..., :3], axis=-1) > 60
    assert coloured.mean() > 0.01


@pytest.mark.parametrize("shape", [(600, 20), (100, 1), (3000, 2)])
def test_notes_of_narrow_images_are_not_cut(shape):
    image = np.random.default_rng(0).random(shape)
    for figure in (viz.show(image), viz.compare(image, image[::-1])):
        viz.rendered(figure)  # which lays it out
        for ax in figure.axes:
            x0, y0, x1, _ = ax.xaxis.label.get_window_extent().extents
            assert min(x0, y0, figure.bbox.x1 - x1) >= 0, ax.get_xlabel()


def test_a_sum_of_small_weights_is_no_zero():
    assert "sum 3e-30" in viz.kernel(np.full((1, 3), 1e-30)).axes[0].get_xlabel()
    assert "sum 0" in viz.kernel(np.array([[0.1, 0.2, -0.3]])).axes[0].get_xlabel()
