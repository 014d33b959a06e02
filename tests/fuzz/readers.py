"""What reads files that come from others: for each kind a valid file, and how a command reads it.

A reader gets a folder in which one file was changed. It returns, or raises UserError in one line; nothing else.
"""

from tests.fuzz import data_files, run_files
from tests.fuzz.reader import Reader

READERS: dict[str, Reader] = {**data_files.READERS, **run_files.READERS}
