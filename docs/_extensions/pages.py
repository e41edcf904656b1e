"""Markdown pages that read well where files are browsed, and have all links on the site."""

import importlib
import pkgutil
import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

import skexplain

# What only the site can show stands in comments, which are hidden where files are browsed.
FOR_THE_SITE = re.compile(r"^<!-- site\n(.*?)^-->$", re.MULTILINE | re.DOTALL)

# Links to files that are pages of the site, too.
PAGES = {
    r"\]\((?:\.\./)+examples/(plot_\w+)\.py\)": r"](/gallery/\1.rst)",
    r"\]\(\.\./\.\./CONTRIBUTING\.md": "](/contributing/index.md",
}

# Where code does not become a link: in headings, and in what is a link already.
NO_LINKS = (nodes.title, nodes.reference, nodes.inline, addnodes.pending_xref)


def write_for_the_site(app, docname, source):
    """Show what stands in comments for the site, and let links lead to its pages."""
    text = FOR_THE_SITE.sub(r"\1", source[0])
    for link, page in PAGES.items():
        text = re.sub(link, page, text)
    source[0] = text


def documented_names():
    """Return the full name of every public name, by each of the names that pages use for it."""
    found = {}
    for info in pkgutil.iter_modules(skexplain.__path__):
        module = importlib.import_module(f"skexplain.{info.name}")
        for name in () if info.name.startswith("_") else getattr(module, "__all__", ()):
            full = f"skexplain.{name}" if info.name == "estimators" else f"{module.__name__}.{name}"
            found |= {name: full, f"{info.name}.{name}": full, full: full}
    return found


def link_names(app, doctree):
    """Make ``code`` that is a public name, or a call of one, a link to its page."""
    docname = app.env.docname
    if Path(app.env.doc2path(docname)).suffix != ".md":
        return
    for literal in list(doctree.findall(nodes.literal)):
        name = app.config.documented_names.get(literal.astext().partition("(")[0])
        if name is None or isinstance(literal.parent, NO_LINKS):
            continue
        link = addnodes.pending_xref(
            "", refdomain="py", reftype="obj", reftarget=name, refdoc=docname, refwarn=True
        )
        literal.replace_self(link)
        link += literal


def setup(app):
    """Connect the functions above."""
    app.add_config_value("documented_names", documented_names(), "env")
    app.connect("source-read", write_for_the_site)
    app.connect("doctree-read", link_names)
    return {"parallel_read_safe": True}
