"""Flask, a WSGI application: `ringcorn flask_app:app`, with flask installed in .venv."""

from flask import Flask, Response, jsonify, request

app = Flask(__name__)


@app.get("/")
def root():
    return "Hello from Flask\n"


@app.post("/echo")
def echo():
    return jsonify(bytes=len(request.get_data()))


@app.get("/stream")
def stream():
    return Response((f"{number}\n" for number in range(3)), mimetype="text/plain")
