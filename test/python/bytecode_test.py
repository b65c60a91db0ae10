"""With --reload no bytecode file stands for a source that may still change within its second."""

import importlib
import importlib.machinery
import importlib.util
import os
import sys
import time
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

import support  # noqa: F401 (gives the package its name)
from _ringcorn import bytecode


class Bytecode(unittest.TestCase):
    def setUp(self):
        self.folder = TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        loader = importlib.machinery.SourceFileLoader
        # Inherited: what is set on the class itself is taken away again.
        self.addCleanup(lambda: loader.__dict__.get("_cache_bytecode") and delattr(loader, "_cache_bytecode"))
        before = loader.__dict__.get("_cache_bytecode")
        if before is not None:
            self.addCleanup(setattr, loader, "_cache_bytecode", before)
        for name, value in (("dont_write_bytecode", False), ("pycache_prefix", None)):
            self.addCleanup(setattr, sys, name, getattr(sys, name))
            setattr(sys, name, value)
        sys.path.insert(0, self.folder.name)
        self.addCleanup(sys.path.remove, self.folder.name)

    def imported(self, name, text, age):
        """(the module's value, whether it has a bytecode file)"""
        source = Path(self.folder.name, name + ".py")
        source.write_text(text)
        then = time.time() - age
        os.utime(source, (then, then))
        importlib.invalidate_caches()
        sys.modules.pop(name, None)
        module = importlib.import_module(name)
        del sys.modules[name]
        return module.value, os.path.exists(importlib.util.cache_from_source(str(source)))

    def test_a_settled_source_has_one_and_a_new_one_has_none(self):
        bytecode.leave_out_what_is_new()
        self.assertEqual(self.imported("settled_source", "value = 1\n", 60), (1, True))
        self.assertEqual(self.imported("new_source", "value = 1\n", 0), (1, False))
        self.assertEqual(self.imported("new_source", "value = 2\n", 0), (2, False))

    def test_python_itself_would_serve_what_was_there_before(self):
        self.assertEqual(self.imported("stale_source", "value = 1\n", 60), (1, True))
        source = Path(self.folder.name, "stale_source.py")
        then = source.stat().st_mtime
        source.write_text("value = 2\n")
        os.utime(source, (then, then))
        importlib.invalidate_caches()
        self.assertEqual(importlib.import_module("stale_source").value, 1)
        del sys.modules["stale_source"]


if __name__ == "__main__":
    unittest.main()
