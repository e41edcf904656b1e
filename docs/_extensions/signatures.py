"""Signatures in the reference that read like the code that people write."""

import re


def write_defaults(app, what, name, obj, options, signature, return_annotation):
    """Write a class or function that is a default by its name, a factory as an ellipsis."""
    if signature is None:
        return None
    # An optimizer is defined in a module of its own, and imported from the package around it.
    signature = re.sub(r"<class '(torch\.optim)\.\w+\.(\w+)'>", r"\1.\2", signature)
    signature = re.sub(r"<(?:built-in )?function (\w+)[^>]*>", r"\1", signature)
    return signature.replace("<factory>", "..."), return_annotation


def setup(app):
    """Connect the hook above."""
    app.connect("autodoc-process-signature", write_defaults)
    return {"parallel_read_safe": True}
