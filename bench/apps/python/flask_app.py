"""The Flask application of the Python rows (WSGI): a route with a parameter and a query, answered in JSON."""

from flask import Flask, jsonify, request

app = Flask(__name__)


@app.get("/items/<int:number>")
def item(number):
    return jsonify(number=number, q=request.args.get("q", ""))
