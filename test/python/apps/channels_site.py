"""Django Channels for the tests: consumers, groups of the in-memory layer, a view beside them."""

import django
from channels.generic.websocket import AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer, WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import JsonResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="tests",
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
)
django.setup()
SEEN = {"ended": []}


class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data, bytes_data)

    async def disconnect(self, code):
        SEEN["ended"].append(code)


class Chat(AsyncJsonWebsocketConsumer):
    async def connect(self):
        await self.channel_layer.group_add("chat", self.channel_name)
        await self.accept("json" if "json" in self.scope["subprotocols"] else None)

    async def receive_json(self, content):
        await self.channel_layer.group_send("chat", {"type": "chat.said", "text": content["say"]})

    async def chat_said(self, event):
        await self.send_json({"said": event["text"]})

    async def disconnect(self, code):
        await self.channel_layer.group_discard("chat", self.channel_name)


class Sync(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data.upper())
        self.close(4001, "told")


class Refusing(AsyncWebsocketConsumer):
    async def connect(self):
        await self.close()


class Crashing(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        raise ValueError("crash")


urlpatterns = [path("seen", lambda request: JsonResponse(SEEN))]
application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter(
            [
                path("echo", Echo.as_asgi()),
                path("chat", Chat.as_asgi()),
                path("upper", Sync.as_asgi()),
                path("refuse", Refusing.as_asgi()),
                path("crash", Crashing.as_asgi()),
            ]
        ),
    }
)
