"""The worker's files keep to what the oldest Python it serves can read, whichever Python runs this."""

import ast
import subprocess
import sys
import unittest

from support import SOURCE

OLDEST = (3, 9)
FILES = sorted(SOURCE.glob("*.py"))
#: Modules of the standard library that came, or left, after the oldest: a worker that needs one would not start.
NOT_EVERYWHERE = {"tomllib", "distutils", "imp", "asynchat", "asyncore", "smtpd", "cgi", "cgitb", "annotationlib"}


class Syntax(unittest.TestCase):
    def test_there_are_files(self):
        self.assertIn("worker.py", [file.name for file in FILES])

    def test_the_oldest_grammar(self):
        for file in FILES:
            with self.subTest(file.name):
                tree = ast.parse(file.read_text(), file.name, feature_version=OLDEST)
                # feature_version lets these pass on some versions.
                newer = [node for node in ast.walk(tree) if type(node).__name__ in ("Match", "TryStar", "TypeAlias")]
                self.assertEqual(newer, [])

    def test_what_older_pythons_must_read(self):
        new = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Nonlocal, ast.YieldFrom)
        for name in ("start.py", "unpack.py"):
            with self.subTest(name):
                tree = ast.parse((SOURCE / name).read_text(), name, feature_version=(3, 4))
                self.assertEqual([node for node in ast.walk(tree) if isinstance(node, new)], [])

    def test_the_standard_library_only(self):
        known = getattr(sys, "stdlib_module_names", None)
        if known is None:
            self.skipTest("sys.stdlib_module_names came with 3.10")
        for file in FILES:
            with self.subTest(file.name):
                tree = ast.parse(file.read_text())
                names = set()
                for node in ast.walk(tree):
                    if isinstance(node, ast.Import):
                        names |= {alias.name.split(".")[0] for alias in node.names}
                    elif isinstance(node, ast.ImportFrom) and node.level == 0:
                        names.add(node.module.split(".")[0])
                # uvloop and yaml are asked for, never needed.
                self.assertEqual(names - known - {"_ringcorn", "uvloop", "yaml"}, set())
                self.assertEqual(names & NOT_EVERYWHERE, set())

    def test_what_is_loaded_behind_or_long_before_the_application_may_be_its_own(self):
        """The halves for WSGI: a module `queue` in the application's folder must be neither found nor hidden."""
        code = (
            "import sys, types\n"
            "package = sys.modules['_ringcorn'] = types.ModuleType('_ringcorn')\n"
            f"package.__path__ = [{str(SOURCE)!r}]\n"
            "from _ringcorn import worker\n"
            "before = set(sys.modules)\n"
            "from _ringcorn import threads, wsgi\n"
            "print(*sorted(set(sys.modules) - before))\n"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        loaded = run.stdout.split()
        self.assertIn("_ringcorn.wsgi", loaded)
        self.assertEqual([name for name in loaded if not name.startswith("_")], [])


if __name__ == "__main__":
    unittest.main()
