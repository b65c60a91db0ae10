"""What the front starts: sees that this Python is new enough, then runs the worker (worker.py).

Older Pythons, back to 2.7, must be able to read this file, to the sentence that asks for another one. Such a Python
has no modules that the worker's own need, so the one record that it sends is written here by hand (wire.py).
"""

import sys

OLDEST_PYTHON = (3, 9)
#: The modules beside this file, in a package whose name no application uses: `import
#: asgi` or `import worker` in an application must find the application's own.
PACKAGE = "_ringcorn"
CHANNEL = 3
HEADER_BYTES = 12
FAILED = 33


def refuse():
    """Answers HELLO with FAILED; returns the exit code."""
    import json
    import socket
    import struct

    sock = socket.fromfd(CHANNEL, socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(True)
    # To its end: the front would be told of a reset if a part of it were left.
    hello = b""
    while len(hello) < HEADER_BYTES or len(hello) < HEADER_BYTES + struct.unpack_from("<H", hello)[0]:
        piece = sock.recv(65536)
        if not piece:
            return 0
        hello += piece
    version = sys.version.split()[0]
    sentence = "{} is Python {}; take 3.9 or later, with --python.".format(sys.executable, version)  # noqa: UP032 (new in 3.6)
    message = json.dumps({"message": sentence, "traceback": ""}).encode("utf-8")
    generation = struct.unpack_from("<I", hello, 8)[0]
    sock.sendall(struct.pack("<HBBII", len(message), FAILED, 0, 0, generation) + message)
    return 1


def main():
    if sys.version_info < OLDEST_PYTHON:
        return refuse()
    if PACKAGE not in sys.modules:
        import os
        import types

        package = types.ModuleType(PACKAGE)
        package.__path__ = [os.path.dirname(os.path.abspath(__file__))]
        sys.modules[PACKAGE] = package
    from _ringcorn import worker

    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
