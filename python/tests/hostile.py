"""Requests that must each be refused with a 4xx and a sentence: families of them, made the same every time."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

#: The functions attacked allow this much, so that "too much" stays cheap to send.
BODY_LIMIT_MIB = 8
DEEP = 100_000
GOOD_ROW = [5.1, 3.5, 1.4, 0.2]
GOOD_FN = json.dumps({"inputs": {"X": [GOOD_ROW]}})
GOOD_TENSOR = {"name": "X", "shape": [1, 4], "datatype": "FP32", "data": GOOD_ROW}
GOOD_V2 = json.dumps({"inputs": [GOOD_TENSOR]})
IRIS, ECHO, HALVES = "hostile-iris", "hostile-echo", "hostile-halves"


@dataclass
class Request:
    """One request; `raw` replaces everything that is made from the other fields."""

    label: str
    body: bytes
    path: str = f"/fn/{IRIS}"
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    raw: bytes | None = None
    #: Not HTTP at all, or never complete: the connection may be closed instead of answered.
    may_close: bool = False

    def bytes(self) -> bytes:
        """What goes over the socket."""
        if self.raw is not None:
            return self.raw
        lines = [f"{key}: {value}" for key, value in self.headers.items()]
        return head(self.path, *lines, f"content-length: {len(self.body)}") + self.body


def head(path: str, *lines: str) -> bytes:
    """The head of a POST whose connection closes after the answer."""
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: localhost", "connection: close", *lines, "", ""]).encode()


def fn(label: str, body: str | bytes, function: str = IRIS, **headers: str) -> Request:
    """A call on /fn; JSON unless a header says otherwise."""
    content = body.encode() if isinstance(body, str) else body
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Request(label, content, f"/fn/{function}", {"content-type": "application/json"} | named)


def v2(label: str, body: str | bytes, function: str = IRIS) -> Request:
    """A call on KServe V2."""
    content = body.encode() if isinstance(body, str) else body
    return Request(label, content, f"/v2/models/{function}/infer")


def tensor(label: str, **changed: object) -> Request:
    """The good V2 request with something changed in its one tensor; `...` leaves a key out."""
    entry = {key: value for key, value in (GOOD_TENSOR | changed).items() if value is not ...}
    return v2(label, json.dumps({"inputs": [entry]}))


def cut_json() -> Iterator[Request]:
    """Every beginning of a good body."""
    for i in range(len(GOOD_FN)):
        yield fn(f"first {i} bytes", GOOD_FN[:i])
    for i in range(0, len(GOOD_V2), 3):
        yield v2(f"v2, first {i} bytes", GOOD_V2[:i])
    for i in (1, 2, 10, 20):
        yield fn(f"rows, first {i} bytes", json.dumps([GOOD_ROW])[:i])
    for junk in ("}", "]", ",", " {}", "\0", "x"):
        yield fn(f"{junk!r} after the end", GOOD_FN + junk)


def deep_nesting() -> Iterator[Request]:
    """100,000 levels, closed or not, in every place."""
    lists, objects = "[" * DEEP, '{"a":' * DEEP
    closed_objects = objects + "1" + "}" * DEEP
    closed = lists + "]" * DEEP
    for name, nest in {"[": lists, "[]": closed, "{": objects, "{}": closed_objects, "[ ": "[ " * DEEP}.items():
        yield fn(f"bare {name}", nest)
        yield fn(f"an input of {name}", f'{{"inputs": {{"X": {nest}}}}}')
        yield fn(f"an unknown key of {name}", f'{{"unknown": {nest}, "inputs": {{"X": [[1, 2, 3, 4]]}}}}')
        yield v2(f"v2 data of {name}", GOOD_V2.replace("[5.1", f"[{nest}, 5.1"))
        yield v2(f"v2 parameters of {name}", f'{{"parameters": {nest}, {GOOD_V2[1:]}')


def ragged() -> Iterator[Request]:
    """Rows of different lengths, ranks and kinds."""
    row = [1, 2, 3, 4]
    shapes = [
        [row, [1, 2, 3]],
        [row, 5],
        [[row]],
        [row, []],
        [row, [[1], 2, 3, 4]],
        [[1, 2, 3, 4, 5]],
        [[1, 2, 3]],
        [[[1], [2], [3], [4]]],
        [5, row],
        [row, [row]],
        [row] * 50 + [[1, 2]],
    ]
    for value in shapes:
        text = json.dumps(value)[:60]
        yield fn(f"input {text}", json.dumps({"inputs": {"X": value}}))
        yield fn(f"rows {text}", json.dumps(value))
        yield fn(f"instances {text}", json.dumps({"instances": value}))
        yield tensor(f"v2 {text}", shape=[2, 4], data=value)


def wrong_types() -> Iterator[Request]:
    """Values of a kind that the input does not have."""
    for value in ["abc", "", "1,2", {}, {"a": 1}, [], [1], "NaN1"]:
        yield fn(f"{value!r} for a float", json.dumps({"inputs": {"X": [[value, 2, 3, 4]]}}))
        yield tensor(f"v2 {value!r} for a float", data=[value, 2, 3, 4])
    for value in ["abc", 5, True, None, {}, {"X": [GOOD_ROW]}]:
        yield fn(f"{value!r} for the tensor", json.dumps({"inputs": {"X": value}}))
        yield tensor(f"v2 {value!r} for the data", data=value)
    for value in [1.5, "x", "1.5", {}, [], 1e30, "NaN"]:
        yield fn(f"{value!r} for an int64", json.dumps([{"id": "a", "n": value, "u": 1}]), ECHO)
    for value in [{}, {"a": "b"}, [[]], ["a", "b"]]:
        yield fn(f"{value!r} for a text", json.dumps([{"id": value, "n": 1, "u": 1}]), ECHO)


def huge_numbers() -> Iterator[Request]:
    """Numbers beyond their type, or beyond any."""
    for text in ["1e400", "-1e400", "1e39", "-3.5e38", "9" * 5_000, "1" + "0" * 400 + ".5", "1e99999999999"]:
        yield fn(f"{text[:20]} for a float32", f'{{"inputs": {{"X": [[{text}, 2, 3, 4]]}}}}')
        yield v2(f"v2 {text[:20]} for a float32", GOOD_V2.replace("5.1", text))
    for text in [str(2**63), str(-(2**63) - 1), str(2**64), "1e19", "9" * 400]:
        yield fn(f"{text[:20]} for an int64", f'[{{"id": "a", "n": {text}, "u": 1}}]', ECHO)
    for text in [str(2**64), "-1", "9" * 400]:
        yield fn(f"{text[:20]} for a uint64", f'[{{"id": "a", "n": 1, "u": {text}}}]', ECHO)
    for text in ["70000", "-1e6", "1e400"]:
        yield fn(f"{text} for a float16", f'{{"inputs": {{"x": [[{text}, 2, 3]]}}}}', HALVES)


def not_numbers() -> Iterator[Request]:
    """Words and spellings that other languages take for numbers."""
    words = ["NaN", "Infinity", "-Infinity", "nan", "inf", "+1", "01", "0x10", ".5", "1.", "1e", "--1", "-"]
    for word in [*words, "undefined", "None", "True", "1_000", "1,,2", "'1'", "1 2"]:
        yield fn(f"{word} as a token", f'{{"inputs": {{"X": [[{word}, 2, 3, 4]]}}}}')
        yield v2(f"v2 {word} as a token", GOOD_V2.replace("5.1", word))


def wrong_names() -> Iterator[Request]:
    """Bodies that are JSON but not a request."""
    bodies = ["null", "true", "5", '"text"', "{}", '{"inputs": null}', '{"inputs": 5}', '{"inputs": "X"}']
    bodies += ['{"inputs": {}}', '{"inputs": {"Y": [[1, 2, 3, 4]]}}', '{"inputs": {"x": [[1, 2, 3, 4]]}}']
    bodies += ['{"instances": 5}', '{"instances": {}}', '{"instance": [[1, 2, 3, 4]]}', '{"sepal_length": 1}']
    bodies += ['[{"sepal_length": 1, "sepal_width": 2, "petal_length": 3, "PETAL_WIDTH": 4}]']
    bodies += ['[{"sepal_length": 1, "sepal_width": 2, "petal_length": 3, "petal_width": 4}, [1, 2, 3, 4]]']
    bodies += ['[{"sepal_length": 1, "sepal_width": 2, "petal_length": 3, "petal_width": [4]}]', "[null]", "[{}]"]
    for body in bodies:
        yield fn(body[:50], body)
    for body in ["null", "[]", "{}", '{"inputs": {}}', '{"inputs": []}', '{"inputs": [null]}', '{"inputs": [5]}']:
        yield v2(f"v2 {body}", body)
    yield v2("v2 the same input twice", json.dumps({"inputs": [GOOD_TENSOR, GOOD_TENSOR]}))
    yield v2("v2 an unknown input", json.dumps({"inputs": [GOOD_TENSOR, GOOD_TENSOR | {"name": "Z"}]}))
    yield v2("v2 an unknown output", json.dumps({"inputs": [GOOD_TENSOR], "outputs": [{"name": "nope"}]}))
    yield v2("v2 outputs of a wrong kind", json.dumps({"inputs": [GOOD_TENSOR], "outputs": "label"}))


def wrong_shapes() -> Iterator[Request]:
    """Shapes that are negative, absurd, or not what the data is."""
    shapes = [[-1, 4], [1, -4], [-1, -4], [0, 4], [4], [], [1, 4, 1], [1, 5], [2, 4], [1.5, 4], ["1", 4], [None, 4]]
    shapes += [[2**31, 4], [2**32, 2**32], [2**63, 2**63], [2**64, 4], [1] * 2_000 + [4], "1,4", {}, None, 4, True, ...]
    for shape in shapes:
        yield tensor(f"shape {str(shape)[:40]}", shape=shape)
    for datatype in ["FP33", "", "float32", "BYTES", "BOOL", None, 7, [], ...]:
        yield tensor(f"datatype {datatype}", datatype=datatype)
    for data in [[], [1], [*GOOD_ROW, 1], GOOD_ROW * 1_000, ...]:
        yield tensor(f"data {str(data)[:40]}", data=data)
    for name in [None, 5, [], ...]:
        yield tensor(f"name {str(name)[:40]}", name=name)


def npy_files() -> Iterator[Request]:
    """Files that say .npy and are not, or promise what they do not hold."""
    good = npy(np.array([GOOD_ROW], dtype=np.float32))
    start = good.index(b"{")

    def with_header(text: str) -> bytes:
        header = text.encode().ljust(118 - 1) + b"\n"
        return good[:8] + len(header).to_bytes(2, "little") + header + good[-16:]

    def described(shape: str, descr: str = "'<f4'") -> bytes:
        return with_header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")

    files = {
        "nothing": b"",
        "magic cut": good[:4],
        "header cut": good[: start + 10],
        "data cut": good[:-1],
        "no data": good[:-16],
        "a byte too many": good + b"\0",
        "other magic": b"PK\x03\x04" + good[4:],
        "version 9.9": good[:6] + b"\x09\x09" + good[8:],
        "header of 64 KiB": good[:8] + b"\xff\xff" + good[10:],
        "header is no literal": with_header("import os"),
        "header is empty": with_header(""),
        "header is binary": good[:10] + b"\xff" * 118 + good[-16:],
        "shape -1": described("(-1, 4)"),
        "shape 10^18": described("(1000000000000000000, 4)"),
        "shape overflows": described("(4294967296, 4294967296)"),
        "shape of text": described("('1', 4)"),
        "no shape": described("()"),
        "other columns": npy(np.zeros((1, 5), dtype=np.float32)),
        "other rank": npy(np.zeros((1, 4, 1), dtype=np.float32)),
        "pickled objects": described("(1, 4)", "'|O'"),
        "record type": described("(1,)", "[('a', '<f4'), ('b', '<f4')]"),
        "text": npy(np.array([["a", "b", "c", "d"]])),
        "complex": npy(np.zeros((1, 4), dtype=np.complex64)),
        "dates": npy(np.zeros((1, 4), dtype="datetime64[s]")),
    }
    for label, content in files.items():
        yield fn(f"npy {label}", content, content_type="application/x-npy")


def npy(value: np.ndarray) -> bytes:
    """An array as a .npy file."""
    out = io.BytesIO()
    np.save(out, value)
    return out.getvalue()


def csv_files() -> Iterator[Request]:
    """Tables with holes."""
    header = "sepal_length,sepal_width,petal_length,petal_width\n"
    texts = {
        "nothing": "",
        "a value too few": header + "1,2,3\n",
        "a value too many": header + "1,2,3,4,5\n",
        "ragged": header + "1,2,3,4\n1,2\n",
        "text for a number": header + "1,2,x,4\n",
        "unknown column": "a,b,c,d\n1,2,3,4\n",
        "column missing": "sepal_length,sepal_width,petal_length\n1,2,3\n",
        "column twice": "sepal_length,sepal_length,petal_length,petal_width\n1,2,3,4\n",
        "open quote": header + '1,2,"3,4\n',
        "nul byte": header + "1,2,\0,4\n",
        "semicolons": header.replace(",", ";") + "1;2;3;4\n",
        "JSON": GOOD_FN,
        "a long line": "1," * 100_000 + "\n",
    }
    for label, text in texts.items():
        yield fn(f"csv {label}", text, content_type="text/csv")
    yield fn("csv invalid UTF-8", b"1,2,\xff\xfe,4\n", content_type="text/csv")
    yield fn("csv too large a number", "id,n,u\na,9223372036854775808,1\n", ECHO, content_type="text/csv")
    yield fn("csv a fraction for an int64", "id,n,u\na,1.5,1\n", ECHO, content_type="text/csv")


def raw_bytes() -> Iterator[Request]:
    """Lengths that are no whole number of rows."""
    for n in [0, *range(1, 16), 17, 31, 33, 1_001]:
        yield fn(f"{n} raw bytes", b"\1" * n, content_type="application/octet-stream")


def text_encodings() -> Iterator[Request]:
    """JSON that is not UTF-8, or not text."""
    yield fn("UTF-16", GOOD_FN.encode("utf-16"))
    yield fn("Latin-1", '[{"id": "é", "n": 1, "u": 1}]'.encode("latin-1"), ECHO)
    yield fn("invalid UTF-8", b'[{"id": "\xc3\x28", "n": 1, "u": 1}]', ECHO)
    yield fn("half a surrogate", '[{"id": "\\ud800", "n": 1, "u": 1}]', ECHO)
    yield fn("bad escape", '[{"id": "\\x41", "n": 1, "u": 1}]', ECHO)
    yield fn("raw line break in text", '[{"id": "a\nb", "n": 1, "u": 1}]', ECHO)
    yield fn("zeros", b"\0" * 1_000)
    yield fn("noise", np.random.default_rng(0).bytes(1_000))
    yield fn("spaces", " " * 1_000)
    yield fn("a zip file", b"PK\x03\x04" + b"\0" * 100)


def content_encodings() -> Iterator[Request]:
    """A `Content-Encoding` that is unknown, or not what the bytes are."""
    packed = gzip.compress(GOOD_FN.encode())
    for name in ["zip", "br", "zstd", "compress", "x", "gzip, br", "gzip;q=1", "🙂".encode().decode("latin-1")]:
        yield fn(f"encoding {name!r}", packed, content_encoding=name)
    yield fn("gzip that is plain", GOOD_FN, content_encoding="gzip")
    yield fn("gzip that is empty", b"", content_encoding="gzip")
    yield fn("gzip that is cut", packed[:-12], content_encoding="gzip")
    yield fn("gzip without its checksum", packed[:-8], content_encoding="gzip")
    yield fn("gzip with a wrong checksum", packed[:-8] + b"\0" * 8, content_encoding="gzip")
    yield fn("gzip header alone", packed[:10], content_encoding="gzip")
    yield fn("gzip of cut JSON", gzip.compress(GOOD_FN[:-2].encode()), content_encoding="gzip")
    yield fn("deflate that is plain", GOOD_FN, content_encoding="deflate")


def content_types() -> Iterator[Request]:
    """Types that no function reads."""
    types = ["application/xml", "text/html", "application/x-protobuf", "multipart/form-data; boundary=x", "video/mp4"]
    for name in [*types, "application/x-pickle", "application/zip", "nonsense", "a/b/c"]:
        yield fn(f"type {name}", GOOD_FN, content_type=name)


def too_large() -> Iterator[Request]:
    """Over the limit: announced, chunked, or only after decompression."""
    big = b" " * ((BODY_LIMIT_MIB << 20) + 1)
    yield fn("one byte over the limit", big)
    yield Request("a terabyte announced", b"", raw=head(f"/fn/{IRIS}", "content-length: 1000000000000"))
    chunked = head(f"/fn/{IRIS}", "content-type: application/json", "transfer-encoding: chunked")
    yield Request("chunks over the limit", b"", raw=chunked + f"{len(big):x}\r\n".encode() + big + b"\r\n0\r\n\r\n")
    bomb = gzip_bomb(1 << 30)
    for name in ["application/json", "text/csv", "application/x-npy", "application/octet-stream"]:
        yield fn(f"1 GiB of zeros in {len(bomb):,} bytes as {name}", bomb, content_type=name, content_encoding="gzip")
    yield fn("a bomb in gzip twice", gzip.compress(bomb), content_encoding="gzip, gzip")
    yield fn("a bomb in gzip, called once", gzip.compress(bomb), content_encoding="gzip")
    yield fn("a bomb in deflate", zlib.compress(bytes(64 << 20), 9), content_encoding="deflate")
    spaces = v2("a bomb of spaces on v2", gzip.compress(b" " * (32 << 20)))
    spaces.headers["content-encoding"] = "gzip"
    yield spaces


def gzip_bomb(size: int, block: int = 16 << 20) -> bytes:
    """Zeros under gzip: one stream, made by repeating one compressed block."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(size // block):
        checksum = zlib.crc32(bytes(block), checksum)
    trailer = checksum.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + piece * (size // block) + b"\x03\0" + trailer


def broken_framing() -> Iterator[Request]:
    """Lengths that are wrong, chunks that are none: answered with a 4xx, or the connection closed; never a hang."""
    kind, path, body = "content-type: application/json", f"/fn/{IRIS}", GOOD_FN.encode()
    yield Request("length too small", b"", raw=head(path, kind, "content-length: 20") + body)
    chunked = head(path, kind, "transfer-encoding: chunked")
    broken = {
        "length too large, then the end": head(path, kind, "content-length: 500") + body,
        "length is a word": head(path, kind, "content-length: many") + body,
        "length is negative": head(path, kind, "content-length: -5") + body,
        "two lengths": head(path, kind, "content-length: 5", "content-length: 41") + body,
        "chunk size is a word": chunked + b"zz\r\n" + body + b"\r\n0\r\n\r\n",
        "chunk size of 2^64": chunked + b"ffffffffffffffffff\r\n" + body,
        "chunks cut": chunked + b"10\r\n" + body[:5],
        "chunks without an end": chunked + f"{len(body):x}\r\n".encode() + body + b"\r\n",
        "unknown transfer encoding": head(path, kind, "transfer-encoding: magic") + body,
        "no HTTP": b"hello\r\n\r\n",
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        "a header of 1 MB": head(path, kind, "x-long: " + "a" * 1_000_000),
        "100,000 headers": head(path, kind, *["a: b"] * 100_000),
    }
    for label, raw in broken.items():
        yield Request(label, b"", raw=raw, may_close=True)


FAMILIES = [
    cut_json, deep_nesting, ragged, wrong_types, huge_numbers, not_numbers, wrong_names, wrong_shapes, npy_files,
    csv_files, raw_bytes, text_encodings, content_encodings, content_types, too_large, broken_framing,
]  # fmt: skip
