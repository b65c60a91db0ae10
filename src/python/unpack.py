"""The worker of a server that is one executable: its modules come over the stream, ahead of what they serve.

`python -c` reads this text from the stream and runs it, with start.py's arguments: nothing is a file. Behind it
embedded.ts sends a length (u32, little-endian) and as many bytes of JSON: the other modules' texts by file name, and
the folder that tracebacks show them in. Older Pythons, back to 3.5, must be able to run this, as far as start.py.
"""

import sys

# What lies in the working directory must not answer the imports below.
if sys.path and sys.path[0] == "":
    del sys.path[0]

import json
import os
import types
from importlib.machinery import ModuleSpec

CHANNEL = 3
PACKAGE = "_ringcorn"


def take(count):
    """The next bytes of the stream, and not one of what follows."""
    data = b""
    while len(data) < count:
        piece = os.read(CHANNEL, count - len(data))
        if not piece:
            raise SystemExit(0)
        data += piece
    return data


class Sources:
    """Finds and loads the modules of the package; `get_source` is what tracebacks show lines of."""

    def __init__(self, folder, texts):
        self.folder = folder
        self.texts = texts

    def _file(self, name):
        return name[len(PACKAGE) + 1 :] + ".py"

    def find_spec(self, name, path=None, target=None):
        if not name.startswith(PACKAGE + ".") or self._file(name) not in self.texts:
            return None
        spec = ModuleSpec(name, self, origin=self.folder + "/" + self._file(name))
        spec.has_location = True
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        code = compile(self.get_source(module.__name__), module.__file__, "exec", dont_inherit=True)
        exec(code, module.__dict__)

    def get_source(self, name):
        return self.texts[self._file(name)]


def main():
    embedded = json.loads(take(int.from_bytes(take(4), "little")).decode())
    package = types.ModuleType(PACKAGE)
    package.__path__ = []
    sys.modules[PACKAGE] = package
    # Last: the application's own imports need not ask here first.
    sys.meta_path.append(Sources(embedded["folder"], embedded["modules"]))
    sys.argv[0] = embedded["folder"] + "/start.py"
    from _ringcorn import start

    return start.main()


if __name__ == "__main__":
    sys.exit(main())
