"""Sends a head and then so many bytes with a blocking send, and only then reads: the answer must have survived.

Usage: blocking.py PORT HEAD BYTES. Prints the answer's head and how the connection ended: eof, or open when it stays.
"""

import socket
import sys


def main() -> None:
    port, head, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    with socket.create_connection(("127.0.0.1", port), timeout=15) as connection:
        connection.sendall(head.encode("latin-1"))
        connection.sendall(b"x" * count)
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = connection.recv(65536)
            if not piece:
                break
            answer += piece
        end = "eof"
        if b"connection: close" in answer.lower():
            while connection.recv(65536):
                pass
        else:
            end = "open"
    sys.stdout.write(answer.decode("latin-1"))
    sys.stdout.write(f"\nend: {end}")


main()
