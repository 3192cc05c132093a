"""The registry, and pipelines written as text."""

import numpy as np
import pytest

import convkit as ck
from convkit.filters import registry
from convkit.filters.pipeline import parse
from convkit.filters.registry import Halo

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def test_every_public_filter_is_registered():
    assert set(registry.names()) == set(ck.filters.__all__) - {"Pipeline", "explain", "parse"}
    assert registry.names() == sorted(registry.names())


@pytest.mark.parametrize("name", registry.names())
def test_a_filter_tells_about_itself(name):
    found = registry.get(name)
    assert (found.name, found.function) == (name, getattr(ck.filters, name))
    assert found.default_border in ("reflect", "edge", "constant", None)
    assert found.summary
    parameters = list(found.signature.parameters)
    assert parameters[0] == "image"
    assert {"out", "num_threads"} < set(parameters)
    assert found.default_border is None or {"border", "cval"} < set(parameters)


@pytest.mark.parametrize("name", registry.names())
def test_documented(name):
    text = registry.get(name).function.__doc__
    assert "Examples\n" in text
    assert "References\n" in text
    assert ">>> import convkit as ck" in text


@pytest.mark.parametrize("name", registry.names())
def test_the_shape_of_a_result(draw, name):
    found, rng = registry.get(name), np.random.default_rng(3)
    for _ in range(20):
        image, arguments = draw(rng, name)
        if "direction" in arguments and rng.random() < 0.5:
            arguments |= {"direction": "polar", "dtype": np.float64}
        result = found.function(image, **arguments, channel_axis=-1 if image.ndim == 3 else None)
        assert found.output_shape(image.shape, found.arguments(**arguments)) == result.shape


def test_unknown_names():
    with pytest.raises(ValueError, match="no filter 'gausian'; did you mean gaussian"):
        registry.get("gausian")
    with pytest.raises(ValueError, match="expected one of bilateral, box, canny"):
        registry.get("qqq")


def test_halos():
    def halo(name, *args, **kwargs):
        found = registry.get(name)
        return found.halo(found.arguments(*args, **kwargs))

    assert halo("gaussian", (1.0, 2.0)) == Halo(4, 4, 8, 8)
    assert halo("box", (4, 3)) == Halo(2, 1, 1, 1)
    assert halo("sobel", ksize=7) == Halo(3, 3, 3, 3)
    assert halo("median", (3, 5)) == Halo(1, 1, 2, 2)
    assert halo("erode", np.ones((4, 3))) == Halo(2, 1, 1, 1)
    assert halo("opening", (4, 3)) == Halo(3, 3, 2, 2)
    assert halo("filter2d", np.ones((3, 4)), anchor=(0, 3)) == Halo(0, 2, 3, 0)
    assert halo("filter2d", np.ones((3, 4)), anchor=(0, 3), mode="convolve") == Halo(2, 0, 0, 3)


@pytest.mark.parametrize(
    "text",
    [
        "sobel",
        "gaussian(sigma=1.4) | sobel",
        "box(size=(3, 5), border='wrap') | laplacian(ksize=1) | sharpen(amount=-0.5)",
        "filter2d(kernel=[[0, -1, 0], [-1, 5, -1], [0, -1, 0]])",
        "sobel(direction='x', normalize=True, dtype='int16')",
    ],
)
def test_text_and_back(text):
    assert str(parse(text)) == text
    assert parse(str(parse(text))) == parse(text)


def test_stages_in_order():
    pipeline = parse("  gaussian(1.4, ksize=5)|sobel('x')\n")
    assert [(stage.filter.name, stage.arguments) for stage in pipeline.stages] == [
        ("gaussian", {"sigma": 1.4, "ksize": 5}),
        ("sobel", {"direction": "x"}),
    ]
    expected = ck.filters.sobel(ck.filters.gaussian(IMAGE, 1.4, ksize=5), "x")
    np.testing.assert_array_equal(pipeline(IMAGE), expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot read the pipeline"),
        ("sobel |", "cannot read the pipeline"),
        ("sobel(", "cannot read the pipeline"),
        ("sobel\x00", "cannot read the pipeline"),
        ("gausian(1)", "did you mean gaussian"),
        ("gaussian", "gaussian: missing a required argument: 'sigma'"),
        ("gaussian(1, sigmma=1)", "gaussian: .*unexpected keyword argument 'sigmma'.*sigma, truncate=4.0"),
        ("gaussian(1, 2)", "gaussian: too many positional arguments"),
        ("gaussian(sigma=1, sigma=2)", "gaussian: the argument 'sigma' is given twice"),
        ("gaussian(sigma=1+1)", r"gaussian: '1 \+ 1' is no literal"),
        ("gaussian(sigma=__import__('os').system('true'))", "is no literal"),
        ("gaussian(*[1])", "is no literal"),
        ("gaussian(**{'sigma': 1})", r"takes no argument '\*\*'"),
        ("sobel(out=None)", "takes no argument 'out'"),
        ("sobel(image=1)", "sobel: multiple values for argument 'image'"),
        ("a.b(1)", "is no filter"),
        ("1", "'1' is no filter"),
        ("sobel & sobel", "is no filter"),
        ("(" * 500 + "sobel" + ")" * 500, "pipeline"),
        ("box(3)(4)", "is no filter"),
    ],
)
def test_bad_text(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_long_chains_are_no_recursion():
    assert len(parse(" | ".join(["box(1)"] * 100)).stages) == 100
    with pytest.raises(ValueError, match="pipeline"):
        parse("|".join(["sobel"] * 100_000))


def test_not_text():
    with pytest.raises(ValueError, match="got NoneType"):
        parse(None)
