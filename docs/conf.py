"""Configuration of the documentation; the README has the command that builds it."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib as mpl
import requests
import torch

import skexplain

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_extensions"))

mpl.use("agg")
torch.set_num_threads(1)  # the gallery runs in this process, and its times are those of one core

project = "skexplain"
author = copyright = "The skexplain developers"
version = release = skexplain.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "directives",
    "pages",
    "signatures",
]
exclude_patterns = ["results/rows", "_templates"]
templates_path = ["_templates"]
smartquotes = False  # options of parameters are quoted as they are typed

# -- Markdown --------------------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3  # so that links to headings work as they do where the files are browsed
copybutton_prompt_text = ">>> |... |$ "
copybutton_prompt_is_regexp = True

# -- Reference -------------------------------------------------------------------------------------

autosummary_generate = True
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # numpydoc's Parameters say more: shapes and defaults
numpydoc_show_class_members = False  # the template of a class documents its members
default_role = "autolink"  # `name` in a docstring is a link where it can be imported

nitpicky = True
# What stands in other projects' references is a link where these can be reached, else plain text.
nitpick_ignore_regex = [("py:.*", r"(matplotlib|numpy|scipy|skorch|sklearn|torch)\..*")]


def reachable(inventories):
    """Leave out inventories that cannot be fetched, so that the build works without a network."""

    def answers(url):
        try:
            return requests.get(f"{url}objects.inv", timeout=5, stream=True).ok
        except requests.RequestException:
            return False

    with ThreadPoolExecutor() as pool:
        found = pool.map(answers, inventories.values())
    return {
        name: (url, None) for (name, url), ok in zip(inventories.items(), found, strict=True) if ok
    }


intersphinx_mapping = reachable(
    {
        "python": "https://docs.python.org/3/",
        "numpy": "https://numpy.org/doc/stable/",
        "scipy": "https://docs.scipy.org/doc/scipy/",
        "sklearn": "https://scikit-learn.org/stable/",
        "torch": "https://docs.pytorch.org/docs/stable/",
        "skorch": "https://skorch.readthedocs.io/en/stable/",
    }
)

# -- Gallery ---------------------------------------------------------------------------------------

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "ignore_pattern": r"^(?!plot_)",  # scripts that are no pictures, such as that for a cluster
    "within_subsection_order": "FileNameSortKey",
    "only_warn_on_example_error": True,  # which -W makes an error, after all have run
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("skexplain",),
    "min_reported_time": 1,
    "show_signature": False,
}

# -- Pages -----------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "skexplain"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "skexplain"},
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
html_sidebars = {"index": [], "changelog": []}


def list_results(app, docname, source):
    """Put the pages of results, each written by a command, into the contents of their index."""
    if docname == "results/index":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"


def leave_out_foreign_members(app, what, name, obj, skip, options):
    """Document what a class defines here; what it inherits from others is in their references."""
    owner = getattr(obj, "__objclass__", obj)  # of a method of a built-in type, that type
    foreign = not str(getattr(owner, "__module__", "skexplain")).startswith("skexplain")
    return True if foreign else None


def setup(app):
    """Connect the hooks above."""
    app.connect("source-read", list_results)
    app.connect("autodoc-skip-member", leave_out_foreign_members)
