"""Sends files whose names are no UTF-8: the front can't open them, since both runtimes name files by text."""

import os
import stat

PIECE_BYTES = 256 * 1024


def _open_at_once(name, flags):
    # A named pipe would hold the open until somebody writes.
    return os.open(name, flags | os.O_NONBLOCK)


async def send_file(path, send):
    """`send(bytes, more)` is given all of it."""
    with open(path, "rb", opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise RuntimeError(f"{path!r} is not a regular file; only regular files can be sent.")
        while True:
            piece = file.read(PIECE_BYTES)
            await send(piece, bool(piece))
            if not piece:
                return
