"""`predict(inputs)`: bodies as what the function's first parameter is annotated as, and its results as answers."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

SHOW = {
    "array": """
        import numpy as np

        def predict(inputs: np.ndarray):
            return {"dtype": inputs.dtype.kind, "shape": inputs.shape, "values": inputs}
    """,
    "array by name": """
        from __future__ import annotations

        def predict(x: "numpy.typing.NDArray[numpy.float32]"):
            return {"dtype": x.dtype.kind, "shape": x.shape, "values": x}
    """,
    "frame": """
        import pandas as pd

        def predict(inputs: pd.DataFrame):
            kinds = ["text" if pd.api.types.is_string_dtype(kind) else kind.kind for kind in inputs.dtypes]
            return {"columns": list(map(str, inputs.columns)), "kinds": kinds, "values": inputs.to_numpy(object)}
    """,
    "plain": """
        def predict(inputs):
            return inputs
    """,
}
CSV, NPY = ("content-type", "text/csv; charset=utf-8"), ("content-type", "application/x-npy")


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=array.dtype == object)
    return file.getvalue()


def asked(start, form, body, *headers):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return start(SHOW[form], "predict", function="predict").http(body=body, headers=headers)


ARRAYS = [
    ([[1, 2], [3, 4]], [2, 2], "i"),
    ([[1, 2.5], [3, None]], [2, 2], "f"),
    ([1, 2, 3], [3], "i"),
    (["a", "b"], [2], "U"),
    ([{"b": 1, "a": 2}, {"a": 4, "b": 3}], [2, 2], "i"),
    ({"b": [1, 3], "a": [2, 4]}, [2, 2], "i"),
    ({"b": 1, "a": 2}, [1, 2], "i"),
    ([], [0], "f"),
]


@pytest.mark.parametrize("around", [None, "inputs", "instances", "data"])
@pytest.mark.parametrize("form", ["array", "array by name"])
def test_json_becomes_an_array(start, form, around):
    worker = start(SHOW[form], "predict", function="predict")
    for body, shape, kind in ARRAYS:
        answer = worker.http(body=json.dumps({around: body} if around else body).encode())
        assert answer.headers == {"content-type": "application/json"}
        assert (answer.json["shape"], answer.json["dtype"]) == (shape, kind), body
    records = worker.http(body=json.dumps(ARRAYS[4][0]).encode()).json["values"]
    assert records == [[1, 2], [3, 4]], "in the order of the first record"


FRAMES = [
    ([{"n": 1, "t": "a"}, {"t": None, "n": 2}], ["n", "t"], [[1, "a"], [2, None]]),
    ({"n": [1, 2], "t": ["a", "b"]}, ["n", "t"], [[1, "a"], [2, "b"]]),
    ({"n": 1, "t": "a"}, ["n", "t"], [[1, "a"]]),
    ([[1, 2], [3, 4]], ["0", "1"], [[1, 2], [3, 4]]),
    ({"columns": ["n", "t"], "index": [0], "data": [[1, "a"]]}, ["n", "t"], [[1, "a"]]),
    ({"instances": [{"n": 1}, {"m": 2}]}, ["n", "m"], [[1, None], [None, 2]]),
]


def test_json_becomes_a_data_frame(start):
    worker = start(SHOW["frame"], "predict", function="predict")
    for body, columns, values in FRAMES:
        found = worker.http(body=json.dumps(body).encode()).json
        assert (found["columns"], found["values"]) == (columns, values)


@pytest.mark.parametrize("body", [{"data": [1]}, [1, {"a": None}], "text", None, 5])
def test_plain_python_gets_the_json_as_it_is(start, body):
    answer = asked(start, "plain", body)
    assert answer.body.decode() == body if isinstance(body, str) else answer.json == body


def test_csv_becomes_rows_by_its_header(start):
    body = "id,n,t\n001,1,é\n002,,\n".encode()
    found = asked(start, "frame", body, CSV).json
    assert found == {
        "columns": ["id", "n", "t"],
        "kinds": ["text", "f", "text"],
        "values": [["001", 1, "é"], ["002", None, None]],
    }
    assert asked(start, "plain", body, CSV).json == [{"id": "001", "n": "1", "t": "é"}, {"id": "002", "n": "", "t": ""}]
    assert asked(start, "array", b"a,b\n1,2\n3,4.5\n", CSV).json["values"] == [[1, 2], [3, 4.5]]
    assert asked(start, "frame", b"n,x\n12345678901234567,\n,0.1\n", CSV).json["values"] == [
        ["12345678901234567", None],
        [None, 0.1],
    ]
    assert asked(start, "frame", b"n\n12345678901234567\n", CSV).json["values"] == [[12345678901234567]]
    assert asked(start, "frame", b'n\n1\n""\n2\n', CSV).json["values"] == [[1], [None], [2]]
    assert asked(start, "frame", b"c\nNA\nnull\n", CSV).json["values"] == [["NA"], ["null"]], "Namibia is no gap"


def test_npy_becomes_what_it_holds(start):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert asked(start, "array", npy(array), NPY).json == {"dtype": "f", "shape": [2, 3], "values": array.tolist()}
    assert asked(start, "frame", npy(array), NPY).json["columns"] == ["0", "1", "2"]
    assert asked(start, "plain", npy(array), NPY).json == array.tolist()


REFUSED = {
    "nothing": ("plain", b"", (), 400, "the body is empty"),
    "no json": ("plain", b"[1,", (), 400, "the body is not JSON: Expecting value: line 1 column 4"),
    "nan": ("plain", b"[NaN]", (), 400, "NaN is not JSON; send null for what is missing"),
    "no utf-8": ("plain", b'"\xff"', (), 400, "the body is not JSON"),
    "too deep": ("plain", b"[" * 100_000, (), 400, "the body is not JSON"),
    "ragged": ("array", [[1], [2, 3]], (), 400, "the rows make no array"),
    "texts among numbers": ("array", [[1, None], ["a", {}]], (), 400, "the rows make no array"),
    "texts and numbers": ("array", [[1, "a"]], (), 400, "texts and numbers; a data frame may have both"),
    "numbers beyond a double": ("array", [2**70 + 1], (), 400, "the rows make no array"),
    "other columns": ("array", [{"a": 1}, {"b": 1}], (), 400, "row 1 has the columns ['b'], and row 0 ['a']"),
    "columns of other lengths": (
        "array",
        {"a": [1], "b": [1, 2]},
        (),
        400,
        "the columns have different lengths: {'a': 1, 'b': 2}",
    ),
    "columns of other lengths in a frame": ("frame", {"a": [1], "b": [1, 2]}, (), 400, "the rows make no data frame"),
    "a number as a frame": ("frame", 5, (), 400, "the rows make no data frame"),
    "texts of csv": ("array", b"a,b\n1,x\n", (CSV,), 400, "columns of texts"),
    "csv with a cell too many": (
        "frame",
        b"a,b\n1,2,3\n",
        (CSV,),
        400,
        "row 0 of the CSV has 3 cells, and its header 2",
    ),
    "csv with a cell too few": ("plain", b"a,b\n1,2\n\n1\n", (CSV,), 400, "row 1 of the CSV has 1 cells"),
    "csv with an empty line": ("frame", b"a\n1\n\n2\n", (CSV,), 400, "one column and an empty line"),
    "csv with a name twice": ("frame", b"a,b,a\n1,2,3\n", (CSV,), 400, "several columns named a"),
    "csv with an open quote": ("plain", b'a\n"x', (CSV,), 400, "the CSV cannot be read: unexpected end of data"),
    "csv of nothing": ("frame", b"", (CSV,), 400, "the CSV cannot be read"),
    "csv of other bytes": ("frame", b"a\n\xff", (CSV,), 400, "the CSV is not UTF-8"),
    "no npy": ("array", b"abc", (NPY,), 400, "the body is not npy"),
    "a pickle": (
        "array",
        npy(np.array([print], dtype=object)),
        (NPY,),
        400,
        "the body is not npy: Object arrays cannot be loaded",
    ),
    "a picture": ("array", b"x", (("content-type", "image/png"),), 415, "the content type image/png is not read here"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_body_that_does_not_fit_is_refused_with_words(start, case):
    form, body, headers, status, words = REFUSED[case]
    answer = asked(start, form, body, *headers)
    assert answer.header["status"] == status
    error = answer.json["error"]
    assert error["code"] == {400: "bad-body", 415: "unsupported-media-type"}[status]
    assert words in error["message"]


def test_text_and_bytes_are_answered_as_they_are(start):
    code = """
        import numpy as np

        def predict(inputs, context):
            return {"text": "é", "bytes": b"\\x00", "id": [context.aws_request_id], "numpy": np.float64(2), "none":
            None}[inputs]
    """
    worker = start(code, "predict", function="predict")
    found = {name: worker.http(body=f'"{name}"'.encode()) for name in ("text", "bytes", "id", "numpy", "none")}
    assert {name: (one.headers["content-type"], one.body) for name, one in found.items()} == {
        "text": ("text/plain; charset=utf-8", "é".encode()),
        "bytes": ("application/octet-stream", b"\x00"),
        "id": ("application/json", b'["call-3"]'),
        "numpy": ("application/json", b"2.0"),
        "none": ("application/json", b"null"),
    }


def test_an_error_of_the_function_is_an_error_of_the_call(start):
    worker = start("def predict(x): return {}[x]", "predict", function="predict")
    assert (worker.http(body=b"5").error["type"], worker.http(body=b"5").error["message"]) == ("KeyError", "5")
    worker = start("def predict(x): return object()", "predict", function="predict")
    assert "Object of type object is not JSON serializable" in worker.http(body=b"5").error["message"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("predict = 5", "app.predict is not a function but int"),
        ("async def predict(x): pass", "app.predict is `async def`"),
        ("def predict(): pass", "takes nothing, and is called with its inputs"),
        ("def predict(x, y): pass", "takes x, y, and is called with its inputs"),
        ("def predict(x, context, *, z): pass", "takes x, context, z, and is called with its inputs and the context"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused(start, code, words):
    assert words in start(code, "predict", function="predict").started["failed"]["message"]


def test_an_answer_has_the_type_that_the_client_likes_best(start):
    code = """
        import numpy as np
        import pandas as pd

        def predict(inputs):
            print("computed")
            frame = pd.DataFrame({"a,b": [1, 2], "c": [0.1, None]})
            return {"frame": frame, "array": np.eye(2, dtype="f4"), "list": [1], "text": "é", "bytes": b"\\x00"}[inputs]
    """
    worker = start(code, "predict", function="predict")

    def asked(name, accept):
        found = worker.http(body=f'"{name}"'.encode(), headers=[("Accept", accept)])
        return found.header["status"], found.headers["content-type"], found.body

    assert asked("frame", "text/csv") == (200, "text/csv", b'"a,b",c\n1,0.1\n2,\n')
    assert asked("frame", "text/csv;q=0.1, application/json")[1] == "application/json"
    status, kind, body = asked("array", "application/x-npy, */*;q=0.1")
    assert (status, kind) == (200, "application/x-npy")
    array = np.load(io.BytesIO(body))
    assert (array.dtype, array.tolist()) == (np.float32, [[1, 0], [0, 1]])
    for accept in ("*/*", "application/*", "", "text/csv, */*;q=0.5"):
        assert asked("array", accept)[1:] == ("application/json", b"[[1.0, 0.0], [0.0, 1.0]]"), accept
    assert asked("text", "application/json") == (200, "application/json", '"é"'.encode())
    assert asked("text", "text/*")[1] == "text/plain; charset=utf-8"
    assert asked("bytes", "*/*") == (200, "application/octet-stream", b"\x00")
    for name, accept, offered in (
        ("list", "text/csv", "application/json"),
        ("array", "text/csv", "application/json, application/x-npy"),
        ("frame", "application/json;q=0, text/plain", "application/json, text/csv"),
        ("list", "image/png", ""),
    ):
        status, _, body = asked(name, accept)
        error = json.loads(body)["error"]
        assert (status, error["code"]) == (406, "not-acceptable")
        assert error["message"].endswith(f"; it can be {offered}" if offered else "application/octet-stream")
    assert len(worker.records()) == 13, "what could never be taken was not computed"
