"""A hook of MkDocs: the README is the first page of the site, with its links as they are from there."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
IN_REPOSITORY = re.compile(r"\[([^\]]+)\]\((?!docs/|https?:|#)[^)]+\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the first page."""
    text = IN_REPOSITORY.sub(r"\1", (ROOT / "README.md").read_text(encoding="utf-8"))
    files.append(File.generated(config, "index.md", content=text.replace("](docs/", "](")))
    return files
