"""Sphinx configuration of the project's documentation."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "ext"))

project = "landslide-hazard"
author = "the landslide-hazard maintainers"
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "myst_parser",
    "sphinx_copybutton",
    "api_pages",
    "config_reference",
    "sizes_pages",
]
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
html_theme = "pydata_sphinx_theme"
html_title = project
html_theme_options = {"navigation_with_keys": False, "show_prev_next": False}
exclude_patterns = ["_build", "ext", ".jupyter_cache", "jupyter_execute"]
# Short axis names (`x`, `y`) are attributes of several records: which one is meant is no error.
suppress_warnings = ["config.cache", "ref.python"]
