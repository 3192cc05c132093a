"""Chains: the bits of the filters one by one, for any bands and threads; what they tell about themselves."""

import pickle
import threading
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convkit as ck
from convkit import _threads
from convkit.cli import show
from convkit.filters import bands, registry
from convkit.filters.pipeline import Pipeline

f = ck.filters
rng = np.random.default_rng(0)
PHOTO = rng.integers(0, 256, (60, 45, 3), np.uint8)
SEEDS = st.integers(0, 2**32 - 1)
BANDED = [name for name in registry.names() if registry.get(name).halo is not None]


def one_by_one(chain, image):
    for stage in chain.stages:
        image = stage.filter.function(image, **stage.arguments)
    return image


@pytest.fixture
def cut(monkeypatch):
    """cut(band): bands of that many rows, and threads however small the work."""
    monkeypatch.setattr(_threads, "force_threads", True)
    monkeypatch.setattr(bands, "SHARED_BAND", 0)

    def set_band(rows):
        monkeypatch.setattr(bands, "band_rows", lambda *_: rows)

    return set_band


def random_chain(rng, draw, image, length):
    """Stages with arguments that fit the image that comes to them."""
    stages = []
    while len(stages) < length:
        name = str(rng.choice(BANDED))
        _, arguments = draw(rng, name, 4)
        arguments.pop("dtype", None)
        if arguments.get("border") == "valid" and rng.random() < 0.8:
            arguments["border"] = "edge"
        if arguments.get("border") == "constant":
            arguments["cval"] = 7.0
        try:
            result = registry.get(name).function(image, **arguments)
        except (TypeError, ValueError):  # a dtype that the filter does not take, or "valid" left nothing
            continue
        if result.ndim != image.ndim:  # several images, or one plane of all channels
            continue
        image = result
        stages.append(partial(registry.get(name).function, **arguments))
    return Pipeline(stages)


@settings(max_examples=40)
@given(seed=SEEDS)
def test_any_chain_bands_and_threads(isa, draw, cut, seed):
    rng = np.random.default_rng(seed)
    shape = (*rng.integers(1, 60, 2, endpoint=True).tolist(), 3)[: rng.integers(2, 4)]
    image = rng.integers(0, 256, shape, np.uint8)
    image = image.astype(rng.choice([np.uint8, np.uint16, np.int16, np.float32, np.float64]))
    with np.errstate(all="ignore"):
        chain = random_chain(rng, draw, image, int(rng.integers(2, 6)))
        cut(int(rng.choice([1, 2, 3, 8, 64])))
        expected = one_by_one(chain, image)
        for threads in (1, 2, 3, 7):
            np.testing.assert_array_equal(chain(image, num_threads=threads), expected)


@pytest.mark.parametrize("name", BANDED)
def test_filters_with_a_halo_are_kernels_of_rows(name):
    """What filters an image calls `ops.rows.execute`: chains would run it on whole images otherwise."""
    ((found, arguments),) = Pipeline(show.sample(name)).stages
    steps = bands.prepare(found, arguments, PHOTO.shape, PHOTO.dtype)
    assert steps
    halo = found.halo(found.arguments(**arguments))
    assert sum(step.kernel.above for step in steps) == halo.top
    assert sum(step.kernel.below for step in steps) == halo.bottom


@pytest.mark.parametrize("name", BANDED)
def test_every_filter_in_a_chain(draw, cut, name):
    cut(5)
    _, arguments = draw(np.random.default_rng(1), name)
    arguments.pop("dtype", None)
    chain = Pipeline(["box(3)", partial(registry.get(name).function, **arguments), "box((1, 2))"])
    np.testing.assert_array_equal(chain(PHOTO, num_threads=2), one_by_one(chain, PHOTO))


def test_text_and_functions_are_the_same():
    chain = Pipeline([partial(f.gaussian, sigma=1.4), f.sobel, Pipeline("box((3, 5)) | box(2)")])
    assert str(chain) == "gaussian(sigma=1.4) | sobel | box(size=(3, 5)) | box(size=2)"
    assert chain == Pipeline(str(chain)) == f.parse(str(chain))
    assert hash(chain) == hash(Pipeline(chain))
    assert repr(chain) == f"Pipeline({str(chain)!r})"
    assert ck.Pipeline is f.Pipeline is Pipeline
    assert chain != "sobel"


def test_arrays_and_dtypes_come_back_from_text():
    kernel = np.array([[0.0, -1.0], [0.5, 1.0]])
    chain = Pipeline([partial(f.filter2d, kernel=kernel, dtype=np.float32), f.sobel])
    kernel[:] = 9  # the chain holds a copy
    assert str(chain) == "filter2d(kernel=[[0.0, -1.0], [0.5, 1.0]], dtype='float32') | sobel"
    np.testing.assert_array_equal(Pipeline(str(chain))(PHOTO), chain(PHOTO))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(chain))(PHOTO), chain(PHOTO))


@pytest.mark.parametrize("image", [PHOTO, PHOTO[..., 0]])
def test_a_length_and_an_angle_come_last(image):
    chain = Pipeline("box(3) | sobel('polar')")
    np.testing.assert_array_equal(chain(image), one_by_one(chain, image))
    assert chain(image).shape == (2, *image.shape)


def test_halo():
    assert Pipeline("gaussian(1.4) | sobel(ksize=5) | filter2d([[1, 1]], anchor=(0, 1))").halo == (8, 8, 9, 8)
    assert Pipeline("box(1)").halo == (0, 0, 0, 0)


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_out_stacks_and_channel_axes(channels):
    chain = Pipeline("gaussian(1.0) | box(3)")
    stack = rng.integers(0, 256, (2, 20, 25, *channels), np.uint8)
    expected = np.stack([chain(image) for image in stack])
    axis = -1 if channels else None
    np.testing.assert_array_equal(chain(stack, channel_axis=axis), expected)
    out = np.empty_like(stack[..., ::-1])
    assert chain(stack, out=out, channel_axis=axis) is out
    np.testing.assert_array_equal(out, expected)
    own = stack[0].copy()
    assert chain(own, out=own) is own
    np.testing.assert_array_equal(own, expected[0])


def test_a_border_that_wraps_splits():
    chain = Pipeline("box(3) | gaussian(1.0, border='wrap') | sobel | box(1, border='wrap')")
    np.testing.assert_array_equal(chain(PHOTO), one_by_one(chain, PHOTO))
    assert "box(size=3): alone (nothing beside it" in chain.explain()
    assert "border='wrap'): alone (its border wraps" in chain.explain()
    assert "\nsobel | box(size=1, border='wrap'): " in chain.explain()


@pytest.fixture
def register(monkeypatch):
    """Register filters for the time of a test."""
    monkeypatch.setattr(registry, "_filters", dict(registry._filters))
    return registry.register


def test_a_filter_of_the_whole_image_splits(register):
    @register(halo=None, output_dtype=registry.keeps_dtype)
    def less_its_mean(image, *, out=None, num_threads=None):
        """Refers to every pixel."""
        result = np.zeros_like(image) if out is None else out
        result[...] = image - image.mean().astype(image.dtype)
        return result

    chain = Pipeline(["sobel | box(3)", less_its_mean, "box(5) | sobel"])
    assert "\nsobel | box(size=3): " in chain.explain()
    assert chain.halo is None
    assert "less_its_mean: alone (needs the whole image), gives 2160x3840 float32" in chain.explain()
    np.testing.assert_array_equal(chain(PHOTO), one_by_one(chain, PHOTO))
    assert [name for name, _ in chain.profile(PHOTO).stages][2] == "less_its_mean"


def test_a_filter_that_is_more_than_kernels_is_alone(register):
    @register(halo=lambda _: registry.Halo(1, 1, 1, 1), output_dtype=registry.keeps_dtype)
    def rest(image, *, border="reflect", out=None, num_threads=None):
        """What a box takes away."""
        result = np.subtract(image, f.box(image, 3, border=border, num_threads=num_threads))
        if out is not None:
            out[...] = result
        return result

    chain = Pipeline([f.sobel, rest, partial(f.box, size=3)])
    assert "rest: alone (is more than kernels of rows), gives 2160x3840 float32" in chain.explain()
    np.testing.assert_array_equal(chain(PHOTO, num_threads=3), one_by_one(chain, PHOTO))


def test_a_filter_of_two_kernels_is_two_steps(register, cut):
    @register(halo=lambda _: registry.Halo(2, 2, 1, 1), output_dtype=registry.keeps_dtype)
    def twice(image, *, border="reflect", out=None, num_threads=None):
        """A box, then another."""
        once = f.box(image, (2, 3), border=border, num_threads=num_threads)
        return f.box(once, (3, 1), border=border, num_threads=num_threads, out=out)

    cut(4)
    chain = Pipeline([f.sobel, twice, f.sobel])
    assert chain.explain().count("  twice   reads ") == 2
    np.testing.assert_array_equal(chain(PHOTO, num_threads=3), one_by_one(chain, PHOTO))


def test_it_tells_what_it_does():
    told = Pipeline("gaussian(1.4) | sobel").explain((2160, 3840), "float32", num_threads=2)
    assert "2 threads" in told
    assert "gaussian   reads 6 rows above and 6 below, gives 2160x3840 float32" in told
    for threads in (1, 2):
        profile = Pipeline("gaussian(1.4) | sobel | box(3)").profile(PHOTO, num_threads=threads)
        assert len(profile.stages) == 3
        assert sum(seconds for _, seconds in profile.stages) < profile.together
        assert "one by one" in str(profile)


def test_a_profile_has_each_filter_once():
    for text in ("closing(3) | box(3)", "box(3) | opening(3) | canny(1, 2) | closing(3)", "closing(3)"):
        chain = Pipeline(text)
        profile = chain.profile(PHOTO)
        assert [name for name, _ in profile.stages] == [stage.filter.name for stage in chain.stages]
        assert all(seconds > 0 for _, seconds in profile.stages)


def test_what_valid_leaves():
    told = Pipeline("box(3, border='wrap') | box(5, border='valid') | sobel('x', border='valid')").explain(
        (20, 30)
    )
    assert "box     reads 0 rows above and 4 below, gives 16x26 uint8" in told
    assert "sobel   reads 0 rows above and 2 below, gives 14x24 float32" in told
    told = Pipeline("box(5, border='valid') | sobel(border='wrap') | box(3) | box(3)").explain((20, 30))
    assert told.endswith("gives 16x26 float32")


def test_it_tells_the_axes_of_results():
    told = Pipeline("canny(10, 30) | box(3) | sobel").explain((40, 50, 3))
    assert "canny(low=10, high=30): alone (needs the whole image), gives 40x50 uint8" in told
    assert "sobel   reads 1 row above and 1 below, gives 40x50 float32" in told
    told = Pipeline("box(3) | scharr('polar', border='valid')").explain((40, 50, 3))
    assert told.endswith("gives 2x38x48x3 float32")


def test_plans_follow_options(monkeypatch):
    chain = Pipeline("box(3) | sobel")
    monkeypatch.setattr(_threads, "force_threads", True)
    with ck.options(num_threads=3):
        assert "3 threads" in chain.explain((480, 640))
    with ck.options(num_threads=1):
        assert "1 thread," in chain.explain((480, 640))


def test_many_threads_call_one_pipeline():
    chain = Pipeline("gaussian(1.0) | sobel | box(3)")
    images = [rng.integers(0, 256, (40 + i, 50), np.uint8) for i in range(8)]
    results = [None] * 8

    def work(i):
        results[i] = chain(images[i])

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for image, result in zip(images, results, strict=True):
        np.testing.assert_array_equal(result, one_by_one(chain, image))


@pytest.mark.parametrize(
    ("stages", "error", "message"),
    [
        ([], ValueError, "at least one filter"),
        ("", ValueError, "cannot read the pipeline"),
        (None, TypeError, "got NoneType"),
        ([np.sqrt], TypeError, "no registered filter.*box, canny"),
        ([3], TypeError, "got int"),
        ([partial(f.gaussian, 1.4)], ValueError, "1.4 in the image's place"),
        ([f.gaussian], ValueError, "gaussian: missing a required argument: 'sigma'"),
        ([partial(f.gaussian, sigma=1, sigmma=1)], ValueError, "unexpected keyword argument 'sigmma'"),
        (
            [partial(f.sobel, out=PHOTO)],
            ValueError,
            "takes no argument 'out': give it to the pipeline's call",
        ),
        ("sobel(num_threads=2)", ValueError, "takes no argument 'num_threads'"),
        ("sobel(channel_axis=0)", ValueError, "takes no argument 'channel_axis'"),
        (
            "sobel('polar') | box(3)",
            ValueError,
            r"sobel\(direction='polar'\) makes 2 images of one, .* takes one: put it last",
        ),
        ("gaussian(1) | scharr('polar') | canny(1, 2)", ValueError, "makes 2 images of one"),
        ([partial(f.gaussian_gradient, sigma=1, direction="polar"), "box(3)"], ValueError, "put it last"),
        ([Pipeline("prewitt('polar')"), Pipeline("prewitt('polar')")], ValueError, "'magnitude' or 'angle'"),
    ],
)
def test_what_is_no_pipeline(stages, error, message):
    with pytest.raises(error, match=message):
        Pipeline(stages)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Pipeline("box(3) | gaussian(-1)")(PHOTO), ValueError, "sigma is -1"),
        (lambda: Pipeline("sobel | box(9, border='valid')")(PHOTO[:5]), ValueError, "leaves nothing"),
        (lambda: Pipeline("sobel | box(3)")(PHOTO, out=PHOTO), TypeError, "out has dtype"),
        (lambda: Pipeline("sobel | box(3)")(PHOTO, num_threads=0), ValueError, "num_threads is 0"),
        (lambda: Pipeline("sobel | box(3)")(PHOTO[None]), ValueError, "channel_axis"),
        (lambda: Pipeline("sobel | box(3)").explain((0, 3)), ValueError, r"shape\[0\] is 0"),
        (lambda: Pipeline("sobel").explain(10), TypeError, r"shape is 10; expected an image's, \(H, W\) or"),
        (lambda: Pipeline("sobel").explain((10,)), ValueError, r"shape is \(10,\); expected an image's"),
        (
            lambda: Pipeline("sobel | box(3)").explain((3, 500, 400)),
            ValueError,
            r"shape is \(3, 500, 400\).*looks like CHW: pass \(500, 400, 3\)",
        ),
    ],
)
def test_what_a_call_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
