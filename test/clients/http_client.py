"""Python's http.client against the contract app. Usage: http_client.py HOST PORT, or http_client.py unix PATH."""

import http.client
import socket
import sys


class UnixConnection(http.client.HTTPConnection):
    """http.client over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=15)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def main() -> None:
    if sys.argv[1] == "unix":
        connection: http.client.HTTPConnection = UnixConnection(sys.argv[2])
    else:
        connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=15)
    sockets = set()
    for method, target, body, expected in [
        ("GET", "/", None, b"hello"),
        ("POST", "/echo", b"x" * 200_000, b"x" * 200_000),
        ("POST", "/echo-stream", iter([b"one,", b"two"]), b"one,two"),
        ("GET", "/stream?n=100&size=1000", None, b"a" * 100_000),
        ("HEAD", "/", None, b""),
        ("GET", "/status?s=204", None, b""),
        ("DELETE", "/", None, b"hello"),
    ]:
        connection.request(method, target, body, encode_chunked=True)
        sockets.add(connection.sock)
        response = connection.getresponse()
        got = response.read()
        assert got == expected, (method, target, response.status, got[:200])
        assert not response.will_close, (method, target)
    assert len(sockets) == 1, "one connection served all"
    connection.request("GET", "/", headers={"Connection": "close"})
    response = connection.getresponse()
    assert response.read() == b"hello" and response.will_close
    connection.close()
    sys.stdout.write("ok")


main()
