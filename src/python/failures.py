"""What can go wrong between an application and the front: what `send` raises then, and who learns of it."""

import logging
import traceback
from asyncio import CancelledError

logger = logging.getLogger("ringcorn.error")

#: The names of the errors by which frameworks tell applications that the client has gone: Starlette's and
#: Litestar's, Falcon's, Werkzeug's, Django's.
DISCONNECTS = frozenset(
    ("ClientDisconnect", "WebSocketDisconnect", "WebSocketDisconnected", "ClientDisconnected", "RequestAborted")
)
#: So far the causes of an error are looked at: they may go round in a circle.
MOST_CAUSES = 20


class ClientDisconnected(OSError):
    """Raised when what is sent can't arrive any more, or what is read ended early."""

    def __init__(self):
        super().__init__("the client has disconnected")


class Refused(RuntimeError):
    """Raised by `send` when the front could not put on the wire what was sent before."""


def log_error(text, *values, exc_info=None, level=logging.ERROR):
    """Raises nothing: an answer's end, or a thread's next request, may come behind it."""
    # `dictConfig` disables the loggers that were there before it, if nobody tells it not to.
    logger.disabled = False
    try:
        logger.log(level, text, *values, exc_info=exc_info)
    except Exception:
        # A filter or a handler of the application's.
        traceback.print_exc()


def log_refused(why, line):
    """For a response that the application had ended when the front refused it; `line` is the request's."""
    log_error("The response to %s could not be sent: %s", line or "a request", why)


def shown(error):
    """An error in a line; its name alone where it fails to say what it is."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:
        return name


def is_disconnect(error, depth=0):
    """Whether `error` says no more than that the client has gone, or that somebody was cancelled for that.

    Frameworks gather such errors, and make others of them. What was raised while one of them was handled
    (`__context__` alone), as by a `finally`, is an error of its own, and so is what a cancelled wait has led to.
    """
    if isinstance(error, (ClientDisconnected, CancelledError)) or type(error).__name__ in DISCONNECTS:
        return True
    if depth == MOST_CAUSES:
        return False
    # Of an ExceptionGroup; before Python 3.11, anyio has its own.
    gathered = getattr(error, "exceptions", None)
    if gathered and isinstance(gathered, (tuple, list)):
        return all(is_disconnect(each, depth + 1) for each in gathered)
    cause = error.__cause__
    return cause is not None and not isinstance(cause, CancelledError) and is_disconnect(cause, depth + 1)
