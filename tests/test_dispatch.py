"""Which build runs, what it says when it cannot, and what `import convkit` leaves alone."""

import numpy as np
import pytest

import convkit as ck
from convkit import _dispatch
from convkit.errors import ConvkitError, UnsupportedMachine


@pytest.fixture
def forgotten(monkeypatch):
    """The choice of a build as in a fresh process, and put back afterwards."""
    monkeypatch.setattr(_dispatch, "_chosen", None)
    monkeypatch.delenv("CONVKIT_ISA", raising=False)
    _dispatch.available.cache_clear()
    _dispatch.load.cache_clear()
    yield
    _dispatch.available.cache_clear()
    _dispatch.load.cache_clear()


@pytest.mark.parametrize("name", _dispatch.available())
def test_the_environment_names_the_build(name, run_python):
    code = "import convkit as ck; i = ck.build_info(); print(i['isa'], i['vector_bytes'])"
    isa, width = run_python(code, CONVKIT_ISA=name).split()
    assert isa == name
    assert int(width) == _dispatch.load(name).family("kernels", np.float32).VECTOR_LANES * 4


def test_unset_it_is_the_widest(run_python):
    code = "import convkit as ck; print(ck.build_info()['isa'])"
    assert run_python(code, CONVKIT_ISA="") == _dispatch.available()[-1]


def test_each_build_runs_its_own_modules(run_python):
    code = (
        "import sys, numpy as np, convkit as ck;"
        "ck.conv2d(np.ones((1, 3, 3)), np.ones((1, 1, 2, 2)), algorithm='gemm');"
        "print(*(m for m in sys.modules if m.startswith('convkit._kernels')))"
    )
    for name in _dispatch.available():
        suffix = "" if name == "baseline" else f"_{name}"
        assert run_python(code, CONVKIT_ISA=name) == f"convkit._kernels_f64{suffix}"


def test_builds_agree_within_rounding():
    x = np.linspace(-1, 1, 8 * 9 * 30, dtype=np.float32).reshape(8, 9, 30)
    weight = np.linspace(-1, 1, 8 * 8 * 9, dtype=np.float32).reshape(8, 8, 3, 3)
    y = ck.conv2d(x, weight)
    for name in _dispatch.available():
        kernels = _dispatch.load(name).family("kernels", np.float32)
        assert kernels is _dispatch.load(name).family("kernels", np.dtype(np.float32))
    np.testing.assert_allclose(ck.conv2d(x.astype(float), weight.astype(float)), y, atol=1e-5)


@pytest.mark.parametrize("word", ["neon-deluxe", "AVX2", "avx2 "])
def test_an_unknown_word_is_refused(word, forgotten, monkeypatch):
    monkeypatch.setenv("CONVKIT_ISA", word)
    with pytest.raises(UnsupportedMachine) as caught:
        ck.build_info()
    message = str(caught.value)
    assert f"CONVKIT_ISA={word} cannot run here" in message
    assert f"{word!r} is not one of baseline, avx2, avx512" in message
    assert f"this machine and build have {', '.join(_dispatch.available())}; unset CONVKIT_ISA" in message
    assert isinstance(caught.value, (ConvkitError, RuntimeError))


@pytest.mark.parametrize("level", [0, 1])
def test_what_the_machine_lacks_is_refused(level, forgotten, monkeypatch):
    monkeypatch.setattr(_dispatch.cpu(), "machine_level", lambda: level)
    if not any(map(_dispatch._is_built, _dispatch.ISAS[: level + 1])):
        pytest.skip("built for wider instruction sets alone")
    built = _dispatch.available()
    assert built == tuple(i for i in _dispatch.ISAS[: level + 1] if _dispatch._is_built(i))
    assert ck.build_info()["isa"] == built[-1]
    for lacking in _dispatch.ISAS[level + 1 :]:
        monkeypatch.setenv("CONVKIT_ISA", lacking)
        monkeypatch.setattr(_dispatch, "_chosen", None)
        with pytest.raises(
            UnsupportedMachine, match=rf"CONVKIT_ISA={lacking} cannot .*\(this machine lacks it\): .* have"
        ) as caught:
            ck.conv2d(np.ones((1, 3, 3)), np.ones((1, 1, 2, 2)))
        assert str(caught.value).endswith(f"have {', '.join(built)}; unset CONVKIT_ISA to take {built[-1]}")


def test_what_was_not_built_is_refused(forgotten, monkeypatch):
    monkeypatch.setattr(_dispatch, "_is_built", lambda isa: isa == "baseline")
    monkeypatch.setenv("CONVKIT_ISA", "avx2")
    told = r"\(this build lacks it\): .* have baseline; unset CONVKIT_ISA to take baseline"
    with pytest.raises(UnsupportedMachine, match=told):
        ck.build_info()


def test_what_lacks_a_family_was_not_built(forgotten, monkeypatch):
    """As where a build for one instruction set leaves another's, from before there was the family."""
    built, modules = _dispatch.available(), _dispatch._modules()
    monkeypatch.setattr(_dispatch, "_modules", lambda: {name for name in modules if "canny" not in name})
    assert not any(map(_dispatch._is_built, built))
    _dispatch.available.cache_clear()
    with pytest.raises(ConvkitError, match="are not built"):
        ck.build_info()


def test_import_loads_neither_kernels_nor_heavy_libraries(run_python):
    code = (
        "import sys, importlib.machinery as m, convkit;"
        "heavy = {'cv2', 'matplotlib', 'torch', 'scipy', 'PIL', 'dask'} & set(sys.modules);"
        "ours = [n for n, v in sys.modules.items() if n.startswith('convkit')"
        " and isinstance(v.__loader__, m.ExtensionFileLoader)];"
        "print(sorted(heavy), ours)"
    )
    assert run_python(code) == "[] []"


def test_build_info_tells_what_runs(isa):
    info = ck.build_info()
    assert info["isa"] == isa
    assert info["isas_available"] == list(_dispatch.available())
    assert info["version"] == ck.__version__
    assert info["numpy"] == np.__version__
    assert info["threads"] >= 1
    assert info["openmp"] == (info["openmp_date"] > 0)


def test_build_info_tells_which_of_two_opencvs_is_imported(tmp_path, run_python):
    (tmp_path / "cv2").mkdir()
    (tmp_path / "cv2/__init__.py").touch()
    (tmp_path / "opencv_python_headless-4.10.0.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: opencv-python-headless\nVersion: 4.10.0\n"
    (tmp_path / "opencv_python_headless-4.10.0.dist-info/METADATA").write_text(metadata)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r});"
        "import convkit; print(convkit.build_info()['opencv'])"
    )
    assert run_python(code) == "4.10.0"
