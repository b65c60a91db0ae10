"""A chat in FastAPI: `ringcorn chat:app`, with fastapi installed in .venv; open it in two windows of a browser."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Chat</title>
<form><input aria-label="Message" autofocus autocomplete="off"> <button>Send</button></form>
<ul aria-live="polite"></ul>
<script>
const [form, list] = [document.querySelector("form"), document.querySelector("ul")];
const socket = new WebSocket(location.href.replace("http", "ws") + "chat");
socket.onmessage = ({ data }) => {
  list.append(Object.assign(document.createElement("li"), { textContent: data }));
};
socket.onclose = ({ code, reason }) => {
  list.append(Object.assign(document.createElement("li"), { textContent: `closed: ${code} ${reason}` }));
};
form.onsubmit = (event) => {
  event.preventDefault();
  socket.send(form.firstChild.value);
  form.reset();
};
</script>
</html>
"""

app = FastAPI()
#: Those who are connected to this worker. With several workers, share what is said by way of a broker.
room: set[WebSocket] = set()


async def tell(text: str) -> None:
    for member in list(room):
        try:
            await member.send_text(text)
        except WebSocketDisconnect:
            room.discard(member)


@app.get("/")
async def page() -> HTMLResponse:
    return HTMLResponse(PAGE)


@app.websocket("/chat")
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    room.add(websocket)
    await tell(f"{len(room)} here")
    try:
        async for text in websocket.iter_text():
            await tell(text)
    finally:
        room.discard(websocket)
        await tell(f"{len(room)} here")
