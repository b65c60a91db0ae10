"""Django in one file: `ringcorn django_app`, or under WSGI `ringcorn django_app:wsgi`."""

import django
from django.conf import settings

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="an example's")
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402 (settings come first)
from django.core.wsgi import get_wsgi_application  # noqa: E402 (settings come first)
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse  # noqa: E402 (settings come first)
from django.urls import path  # noqa: E402 (settings come first)
from django.views.decorators.csrf import csrf_exempt  # noqa: E402 (settings come first)


def root(request):
    return HttpResponse("Hello from Django\n")


@csrf_exempt
async def echo(request):
    return JsonResponse({"bytes": len(request.body)})


def stream(request):
    return StreamingHttpResponse(f"{number}\n" for number in range(3))


urlpatterns = [path("", root), path("echo", echo), path("stream", stream)]
application = get_asgi_application()
wsgi = get_wsgi_application()
