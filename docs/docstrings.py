"""Docstrings as Markdown, for the pages of the package (an extension of Griffe)."""

import re

import griffe

TABLE = re.compile(r"^(=+( =+)+\n.*?\n=+( =+)+)$", re.M | re.S)


class Tables(griffe.Extension):
    """Tables ruled with `=`, the layouts of files, keep their columns as blocks of code."""

    def on_instance(self, *, obj: griffe.Object, **kwargs) -> None:
        """Called with each module, class and function once its docstring is read."""
        if obj.docstring:
            obj.docstring.value = TABLE.sub(r"```text\n\1\n```", obj.docstring.value)
