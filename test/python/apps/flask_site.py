"""Flask for the tests."""

import time

from flask import Flask, Response, g, jsonify, request, send_file

app = Flask(__name__)
SEEN = {"closed": "", "upload": ""}


@app.before_request
def tag():
    g.tag = request.headers.get("X-Tag", "none")


@app.get("/seen")
def seen():
    return jsonify(SEEN)


@app.get("/tag")
def tagged():
    before = g.tag
    time.sleep(0.002)
    return jsonify([before, g.tag])


@app.post("/size")
def size():
    total = 0
    while piece := request.stream.read(65536):
        total += len(piece)
    return jsonify(bytes=total)


@app.post("/upload")
def upload():
    file = request.files["file"]
    return jsonify(name=file.filename, bytes=len(file.read()), note=request.form["note"])


@app.post("/broken-upload")
def broken_upload():
    SEEN["upload"] = "waits"
    try:
        while request.stream.read(1000):
            pass
        SEEN["upload"] = "ended"
    except Exception as error:
        SEEN["upload"] = type(error).__name__
        raise
    return "ok"


@app.get("/stream")
def stream():
    return Response((f"{number}\n" for number in range(100)), mimetype="text/plain")


@app.get("/endless")
def endless():
    def pieces():
        try:
            while True:
                yield b"x" * 65536
        finally:
            SEEN["closed"] = "yes"

    return Response(pieces())


@app.get("/file")
def file():
    return send_file(__file__)


@app.get("/crash")
def crash():
    raise ZeroDivisionError("by the test")
