"""The site: ``make gallery``."""

import os
import re
import sys
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")
sys.path.insert(0, os.path.dirname(__file__))

import figures
import pairs

import convkit

project = "convkit"
author = "the convkit developers"
copyright = author
release = version = convkit.__version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "benchmarks", "explorer", "*.md"]
autosummary_generate = True
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # an attribute named dtype is no target for the word
nitpicky = False

html_theme = "furo"
html_title = "convkit"
html_extra_path = ["_extra"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#005a94", "color-brand-content": "#005a94"},
    "dark_css_variables": {"color-brand-primary": "#7cc4f5", "color-brand-content": "#7cc4f5"},
}


sphinx_gallery_conf = {
    "examples_dirs": "../gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "image_scrapers": ("figures.scraper",),
    "reset_modules": (),
    "capture_repr": (),
    "download_all_examples": False,
    "show_signature": False,
    "show_memory": False,
    "min_reported_time": 1,
    "remove_config_comments": True,
    "within_subsection_order": "lessons.Order",
    "doc_module": ("convkit",),
    "backreferences_dir": None,
    "write_computation_times": False,
    "thumbnail_size": (480, 340),
}
Path(__file__).with_name("coming_from.rst").write_text(pairs.page())


def escape_bars(app, what, name, obj, options, lines):
    """Let ``|x|`` in docstrings be a magnitude: reStructuredText takes it for a substitution."""
    lines[:] = [re.sub(r"\|(\S(?:[^|`]*\S)?)\|", r"\\|\1\\|", line) for line in lines]


def name_dtypes(app, what, name, obj, options, lines):
    """A parameter's type ``dtype`` is NumPy's, not an attribute that is called so."""
    lines[:] = [re.sub(r"^(:(?:var)?type \w+:) dtype\b", r"\1 numpy.dtype", line) for line in lines]


def setup(app):
    """Before and after napoleon reads the docstrings; after the gallery's thumbnails are read."""
    app.connect("autodoc-process-docstring", escape_bars, priority=100)
    app.connect("autodoc-process-docstring", name_dtypes, priority=900)
    app.connect("doctree-read", figures.name_thumbnails)
