"""What can go wrong between an application and the front: what `send` raises then, and who learns of it."""

import logging
import traceback

logger = logging.getLogger("ringcorn.error")


class ClientDisconnected(OSError):
    """Raised when what is sent can't arrive any more, or what is read ended early."""

    def __init__(self):
        super().__init__("the client has disconnected")


class Refused(RuntimeError):
    """Raised by `send` when the front could not put on the wire what was sent before."""


def log_error(text, *values, exc_info=None):
    """Raises nothing: an answer's end, or a thread's next request, may come behind it."""
    # `dictConfig` disables the loggers that were there before it, if nobody tells it not to.
    logger.disabled = False
    try:
        logger.error(text, *values, exc_info=exc_info)
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


def comes_from(error, kinds):
    """Whether `error` is one of `kinds`, or one of them led to it."""
    seen = 0
    while error is not None and seen < 20:
        if isinstance(error, kinds):
            return True
        error = error.__cause__ or error.__context__
        seen += 1
    return False
