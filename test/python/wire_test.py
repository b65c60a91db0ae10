"""The shared vectors, read by the worker's half of the wire format."""

import marshal
import unittest

from support import VECTORS, websocket, wire


def pairs_of(pairs):
    return [(n.encode("latin-1"), v.encode("latin-1")) for n, v in pairs]


def address(value):
    return None if value is None else tuple(value)


class Records(unittest.TestCase):
    def test_writes_each_record(self):
        for vector in VECTORS["records"]:
            with self.subTest(vector["name"]):
                payload = bytes.fromhex(vector["payload"])
                written = wire.record(
                    vector["type"],
                    vector["flags"],
                    vector["id"],
                    vector["generation"],
                    payload,
                )
                self.assertEqual(written.hex(), vector["bytes"])

    def test_reads_them_all_at_once_and_byte_by_byte(self):
        stream = b"".join(bytes.fromhex(v["bytes"]) for v in VECTORS["records"])
        wanted = [
            (
                v["type"],
                v["flags"],
                v["id"],
                v["generation"],
                bytes.fromhex(v["payload"]),
            )
            for v in VECTORS["records"]
        ]
        self.assertEqual(wire.records(stream), (wanted, len(stream)))
        found = []
        rest = b""
        for at in range(len(stream)):
            rest += stream[at : at + 1]
            some, used = wire.records(rest)
            found += some
            rest = rest[used:]
        self.assertEqual((found, rest), (wanted, b""))


class Scopes(unittest.TestCase):
    def test_marshal_reads_what_the_front_writes(self):
        for vector in VECTORS["scopes"]:
            with self.subTest(vector["name"]):
                found = marshal.loads(bytes.fromhex(vector["marshal"]))
                wanted = (
                    vector["method"],
                    vector["http_version"],
                    vector["scheme"],
                    vector["path"],
                    vector["raw_path"].encode("latin-1"),
                    vector["query_string"].encode("latin-1"),
                    vector["root_path"],
                    pairs_of(vector["headers"]),
                    address(vector["client"]),
                    address(vector["server"]),
                )
                self.assertEqual(found, wanted)

    def test_websockets(self):
        for vector in VECTORS["socketScopes"]:
            with self.subTest(vector["name"]):
                scope = websocket.build_scope(bytes.fromhex(vector["marshal"]), {"a": 1})
                wanted = {key: vector[key] for key in ("http_version", "scheme", "path", "root_path", "subprotocols")}
                wanted["type"] = "websocket"
                wanted["asgi"] = {"version": "3.0", "spec_version": "2.5"}
                wanted["raw_path"] = vector["raw_path"].encode("latin-1")
                wanted["query_string"] = vector["query_string"].encode("latin-1")
                wanted["headers"] = pairs_of(vector["headers"])
                wanted["client"] = address(vector["client"])
                wanted["server"] = address(vector["server"])
                wanted["state"] = {"a": 1}
                wanted["extensions"] = {"websocket.http.response": {}}
                self.assertEqual(scope, wanted)

    def test_trailers(self):
        vector = VECTORS["trailers"]
        found = marshal.loads(bytes.fromhex(vector["marshal"]))
        self.assertEqual(found, pairs_of(vector["pairs"]))


class Fields(unittest.TestCase):
    def test_both_ways(self):
        for vector in VECTORS["fields"]:
            with self.subTest(vector["name"]):
                pairs = pairs_of(vector["pairs"])
                count, block = wire.encode_fields(pairs)
                self.assertEqual((count, block.hex()), (vector["count"], vector["block"]))
                self.assertEqual(wire.decode_fields(count, block), pairs)

    def test_what_would_tear_them_apart_is_refused(self):
        for name, value in ((b"a\0", b"b"), (b"a", b"\0b"), ("a", b"b"), (b"a", 1), (1, b"b"), (b"content-length", 1)):
            with self.subTest((name, value)), self.assertRaises(wire.FieldError):
                wire.encode_fields([(name, value)])


if __name__ == "__main__":
    unittest.main()
