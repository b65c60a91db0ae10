"""What a WSGI application is given: the environ of a request, its input and its file wrapper (PEP 3333)."""

import io
import os
import sys
from types import BuiltinMethodType

FILE_CHUNK_BYTES = 64 * 1024
#: Names of fields as they stand in an environ; the first so many that occur.
MOST_KEYS = 512


class FileWrapper:
    """wsgi.file_wrapper: a real file, from its start to its end, becomes a pathsend."""

    def __init__(self, file, block_size=FILE_CHUNK_BYTES):
        self.file = file
        self.block_size = block_size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self):
        return self

    def __next__(self):
        data = self.file.read(self.block_size)
        if not data:
            raise StopIteration
        return data

    def path(self, owed):
        """The file's path if the whole of it is what is to be sent, or None."""
        # A wrapper (tempfile's) may remove its file when it is closed, before the front has opened it.
        if not isinstance(self.file, (io.BufferedReader, io.BufferedRandom, io.FileIO)):
            return None
        try:
            name = self.file.name
            if not isinstance(name, (str, bytes)) or self.file.tell() != 0:
                return None
            status = os.fstat(self.file.fileno())
            path = os.fsencode(os.path.abspath(name))
            # The front knows no other names.
            path.decode()
            found = os.stat(path)
        except (AttributeError, OSError, ValueError, TypeError):
            return None
        same = (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino)
        if not same or (owed is not None and owed != status.st_size):
            return None
        return path

    @property
    def only_closes(self):
        """Whether its `close` does no more than that; one that the application has made may remove the file."""
        file, close = self.file, getattr(self, "close", None)
        return (
            type(file) in (io.BufferedReader, io.BufferedRandom, io.FileIO)
            and type(getattr(file, "raw", file)) is io.FileIO
            and isinstance(close, BuiltinMethodType)
            and close.__self__ is file
        )


class Input(io.RawIOBase):
    """wsgi.input: reads what the client sends, and waits for it."""

    def __init__(self, request):
        self._request = request
        self._rest = b""

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self._rest:
            self._rest = self._request.next_piece()
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def environ_of(request):
    """The environ of a WsgiRequest whose input nobody has read (PEP 3333, "environ Variables")."""
    scope = request.scope
    server = scope["server"] or ("localhost", None)
    root = scope["root_path"]
    path = scope["path"]
    if root and path.startswith(root):
        path = path[len(root) :]
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": root.encode("utf-8").decode("latin-1"),
        "PATH_INFO": _path_bytes(path, root, scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
        "SERVER_SOFTWARE": "ringcorn",
        "RAW_URI": scope["raw_path"].decode("latin-1"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO() if request.is_empty else io.BufferedReader(Input(request), FILE_CHUNK_BYTES),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": request.worker.wsgi.count > 1,
        "wsgi.multiprocess": request.worker.settings.get("workers", 1) > 1,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,
    }
    if scope["client"]:
        environ["REMOTE_ADDR"] = scope["client"][0]
        environ["REMOTE_PORT"] = str(scope["client"][1])
    for name, value in scope["headers"]:
        key = _KEYS.get(name)
        if key is None:
            key = _key(name)
        # A field name with an underscore would pass for one with a hyphen.
        if key == "":
            continue
        text = value.decode("latin-1")
        if key in environ:
            text = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + text
        environ[key] = text
    return environ


def _path_bytes(path, root, raw):
    """Of a path below the root. Where the bytes are no UTF-8, only the path as it came knows them."""
    if "\ufffd" not in path:
        return path.encode("utf-8")
    from urllib.parse import unquote_to_bytes

    prefix = root.encode("utf-8")
    return unquote_to_bytes(raw[len(prefix) :] if raw.startswith(prefix) else raw)


_KEYS = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


def _key(name):
    """A field's name in the environ, or the empty string when it has none."""
    key = "" if b"_" in name else "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
    if len(_KEYS) < MOST_KEYS:
        _KEYS[name] = key
    return key
