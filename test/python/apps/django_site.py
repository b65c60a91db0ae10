"""Django for the tests: `django_site:application` under ASGI, `django_site:wsgi` under WSGI."""

import asyncio
import contextvars
import threading

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="the tests'",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", __name__ + ".tagged"],
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402 (settings come first)
from django.core.wsgi import get_wsgi_application  # noqa: E402 (settings come first)
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse  # noqa: E402 (settings come first)
from django.urls import path  # noqa: E402 (settings come first)
from django.views.decorators.csrf import csrf_exempt  # noqa: E402 (settings come first)

SEEN = {"cancelled": "", "closed": ""}
TAG = contextvars.ContextVar("TAG", default="none")


def tagged(get_response):
    """A synchronous middleware, which Django adapts."""

    def middleware(request):
        TAG.set(request.headers.get("X-Tag", "none"))
        response = get_response(request)
        response["X-Tagged"] = TAG.get()
        return response

    return middleware


def seen(request):
    return JsonResponse(SEEN)


def sync_view(request):
    return JsonResponse({"tag": TAG.get(), "main": threading.current_thread() is threading.main_thread()})


async def async_view(request):
    before = TAG.get()
    await asyncio.sleep(0.001)
    return JsonResponse({"tag": [before, TAG.get()], "task": asyncio.current_task() is not None})


@csrf_exempt
def upload(request):
    files = {name: [file.name, file.size] for name, file in request.FILES.items()}
    return JsonResponse({"files": files, "post": dict(request.POST.items())})


@csrf_exempt
def size(request):
    return JsonResponse({"bytes": len(request.body)})


def sync_stream(request):
    return StreamingHttpResponse(f"{number}\n" for number in range(100))


async def async_stream(request):
    async def pieces():
        for number in range(100):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return StreamingHttpResponse(pieces())


def endless(request):
    def pieces():
        try:
            while True:
                yield b"x" * 65536
        finally:
            SEEN["closed"] = "yes"

    return StreamingHttpResponse(pieces())


def file(request):
    return FileResponse(open(__file__, "rb"))


def crash(request):
    raise ZeroDivisionError("by the test")


async def wait(request):
    SEEN["cancelled"] = "waits"
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        SEEN["cancelled"] = "yes"
        raise
    return HttpResponse()


urlpatterns = [
    path("seen", seen),
    path("sync", sync_view),
    path("async", async_view),
    path("upload", upload),
    path("size", size),
    path("sync-stream", sync_stream),
    path("async-stream", async_stream),
    path("endless", endless),
    path("file", file),
    path("crash", crash),
    path("wait", wait),
]
application = get_asgi_application()
wsgi = get_wsgi_application()
