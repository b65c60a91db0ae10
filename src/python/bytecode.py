"""For --reload: no bytecode file (.pyc) is written for a source that has just changed.

Such a file names its source's time in whole seconds, and its length (PEP 3147, PEP 552). A source that changes twice
within a second, without getting longer, would be served as it was in between.
"""

import importlib.machinery
import os
import time

#: A source is old enough when its time can't be that of the next change; file systems round by up to 2 s.
SETTLED_SECONDS = 2.0


def leave_out_what_is_new():
    """Where Python has another way to write them by now, they are written as always."""
    loader = importlib.machinery.SourceFileLoader
    write = getattr(loader, "_cache_bytecode", None)
    if write is None:
        return

    def write_if_settled(self, source_path, cache_path, data):
        if time.time() - os.stat(source_path).st_mtime >= SETTLED_SECONDS:
            write(self, source_path, cache_path, data)

    loader._cache_bytecode = write_if_settled
