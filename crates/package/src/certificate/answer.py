"""Loads a model with its own framework, answers rows, and writes the answers to standard output.

    python answer.py LOADER MODEL ROWS PATHS

Runs in a sandbox, with numpy and the framework and nothing else. ROWS are KServe V2 requests, one behind the other: each a
line of JSON and the raw bytes behind it; each is answered in the same form, with the rows that the model refuses. PATHS is a
JSON list of the folders with packages.
"""

import json
import os
import sys

#: Calls of a network that are asked about together, once more are refused.
BLOCK = 64
#: When so many calls are refused one by one before any is answered, the model refuses them all …
HOPELESS = 100
#: … and a network their shape: what it may refuse for their values stands behind the rest.
HOPELESS_NETWORK = 5
#: Characters of what is kept of an error.
SAID = 300
#: What `networks` loads.
NETWORKS = ("keras", "tf-keras", "saved-model", "torchscript", "torch-export")
TYPES = {"BOOL": "?", "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "u1", "UINT16": "<u2"}
TYPES |= {"UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}


def load_network(loader, path, inputs, rows):
    """A network, for so many rows alone where it is told; TorchScript does not say the shapes of its inputs: they are those of
    the question."""
    import networks

    networks.quiet()
    return networks.load(loader, path, [(one.dtype.name, [rows, *one.shape[1:]]) for one in inputs.values()])


def load(loader, path):
    """The model, as the user's own program has it."""
    if loader == "xgboost":
        return load_xgboost(path)
    if loader == "lightgbm":
        import lightgbm

        return lightgbm.Booster(model_file=path)
    if loader == "catboost":
        return load_catboost(path)
    if loader == "joblib":
        import joblib

        return joblib.load(path)
    if loader == "skops":
        import skops.io

        return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    import pickle

    with open(path, "rb") as file:
        return pickle.load(file)


def load_xgboost(path):
    """A booster, or the wrapper that saved it."""
    import xgboost

    with open(path, "rb") as file:
        content = bytearray(file.read())
    booster = xgboost.Booster()
    booster.load_model(content)
    note = json.loads(booster.attributes().get("scikit_learn") or "{}")
    wrappers = {"classifier": "XGBClassifier", "regressor": "XGBRegressor", "ranker": "XGBRanker"}
    name = wrappers.get(note.get("_estimator_type"))
    if name is None:
        return booster
    model = getattr(xgboost, name)()
    model.load_model(content)
    return model


def load_catboost(path):
    """The class that goes with the loss: a saved model does not say which it was."""
    import catboost

    form = "cbm"
    with open(path, "rb") as file:
        if file.read(4) != b"CBM1":
            form = "json"
    model = catboost.CatBoost().load_model(path, format=form)
    loss = json.loads(model.get_metadata()["params"])["loss_function"]["type"]
    of_classes = ("Logloss", "CrossEntropy", "Focal", "MultiClass", "MultiClassOneVsAll", "MultiLogloss", "MultiCrossEntropy")
    kind = catboost.CatBoostClassifier if loss in of_classes else catboost.CatBoostRegressor
    return kind().load_model(path, format=form)


def answer(model, names, rows):
    """The outputs of some rows."""
    if isinstance(rows, dict):
        found = model.answer(rows)
        return {name: found[name] for name in names}
    return {name: output(model, name, rows) for name in names}


def output(model, name, rows):
    """One output, by the method that gives it."""
    import numpy as np

    if type(model).__module__.startswith("xgboost") and type(model).__name__ == "Booster":
        import xgboost

        known = {"feature_names": model.feature_names, "feature_types": model.feature_types}
        found = model.predict(xgboost.DMatrix(rows, enable_categorical=True, **known))
    else:
        method = {"label": "predict", "prediction": "predict", "probabilities": "predict_proba"}
        method |= {"decision": "decision_function", "transformed": "transform"}
        if name not in method:
            raise SystemExit(f"the original has nothing that answers the output {name}")
        options = {"validate_features": False} if type(model).__module__.startswith("xgboost") else {}
        found = getattr(model, method[name])(rows, **options)
    if hasattr(found, "toarray"):
        found = found.toarray()
    return np.asarray(found)


def answer_all(model, names, table):
    """All rows at once; where that fails fewer and fewer, down to single calls: outputs, and which rows are refused."""
    import numpy as np

    unit = table.rows_of_a_call
    parts, refused, spans = [], [], [(0, len(table))]
    while spans:
        start, end = spans.pop()
        try:
            parts.append(answer(model, names, table.part(start, end)))
        except MemoryError:
            raise
        except Exception as error:
            step = table.smaller(end - start)
            if step:
                starts = reversed(range(start, end, step))
                spans += [(first, min(first + step, end)) for first in starts]
                continue
            first = str(error).partition("\n")[0]
            said = f"{type(error).__name__}: {first}"[:SAID]
            refused += [{"row": row, "said": said} for row in range(start, end)]
        if not parts and len(refused) >= table.hopeless * unit:
            return {}, [{"row": row, "said": refused[0]["said"]} for row in range(len(table))]
    if not parts:
        return {}, refused
    return {name: np.concatenate(alike([part[name] for part in parts])) for name in names}, refused


def alike(parts):
    """Tables of one form: of a single row some models make no table, but its numbers."""
    whole = max(parts, key=lambda part: part.ndim)
    return [part if part.ndim == whole.ndim else part.reshape(-1, *whole.shape[1:]) for part in parts]


class Table:
    """The rows, in the form that the model takes."""

    def __init__(self, inputs, model, rows_of_a_call):
        self.inputs = inputs
        self.rows_of_a_call = rows_of_a_call or 1
        self.is_network = type(model).__module__ == "networks"
        self.hopeless = HOPELESS_NETWORK if self.is_network else HOPELESS
        is_booster = type(model).__module__.startswith(("xgboost", "lightgbm"))
        self.names = None if is_booster else getattr(model, "feature_names_in_", None)

    def __len__(self):
        return len(next(iter(self.inputs.values())))

    def smaller(self, rows):
        """How many rows are asked about together where so many are refused: half of them; of a network, which starts threads with
        each failure, soon a call each. 0: they are one call."""
        calls = -(-rows // self.rows_of_a_call)
        if calls == 1:
            return 0
        return self.rows_of_a_call * (1 if self.is_network and calls <= BLOCK else -(-calls // 2))

    def part(self, start, end):
        """Some rows: a matrix, or a frame where columns have names or types of their own."""
        parts = {name: rows[start:end] for name, rows in self.inputs.items()}
        if self.is_network:
            return parts
        if len(parts) == 1 and not (self.names is not None and set(parts) <= set(self.names)):
            (rows,) = parts.values()
            if self.names is None or rows.ndim != 2 or rows.shape[1] != len(self.names):
                return rows
            try:
                import pandas
            except ImportError:
                return rows
            return pandas.DataFrame(rows, columns=self.names)
        import pandas

        frame = pandas.DataFrame({name: rows.reshape(len(rows)) for name, rows in parts.items()})
        # Columns that it was fitted with and does not look at may be found by their places.
        return frame if self.names is None else frame.reindex(columns=self.names)


def read_all(path):
    """For each question the inputs by name, the names of the outputs, and how many rows a call has, where it may have no others.
    A missing text is NaN, as pandas has it."""
    with open(path, "rb") as file:
        while line := file.readline():
            yield read(json.loads(line), file)


def read(head, file):
    """One question, of which the line was read."""
    import numpy as np

    inputs = {}
    for one in head["inputs"]:
        raw = file.read(one["parameters"]["binary_data_size"])
        flat = texts(raw) if one["datatype"] == "BYTES" else np.frombuffer(raw, TYPES[one["datatype"]])
        if one["name"] in head.get("missing_texts", []):
            flat[flat == ""] = np.nan
        inputs[one["name"]] = flat.reshape(one["shape"])
    return inputs, [one["name"] for one in head["outputs"]], head.get("rows_of_a_call")


def texts(raw):
    """Texts, each behind its length."""
    import numpy as np

    found, at = [], 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "little")
        found.append(raw[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return np.array(found, dtype=object)


def packed(array):
    """The type of an array, and its bytes."""
    if array.dtype.kind in "OUS":
        encoded = [str(one).encode() for one in array.ravel()]
        return "BYTES", b"".join(len(one).to_bytes(4, "little") + one for one in encoded)
    names = {code.lstrip("<"): name for name, code in TYPES.items()}
    code = "?" if array.dtype.kind == "b" else f"{array.dtype.kind}{array.dtype.itemsize}"
    return names[code], array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def write(file, outputs, refused):
    """The answer."""
    listed, tails = [], []
    for name, array in outputs.items():
        datatype, raw = packed(array)
        size = {"binary_data_size": len(raw)}
        listed.append({"name": name, "datatype": datatype, "shape": array.shape, "parameters": size})
        tails.append(raw)
    head = {"outputs": listed, "refused": refused, "versions": versions()}
    file.write(json.dumps(head).encode() + b"\n" + b"".join(tails))
    file.flush()


def versions():
    """What answered."""
    import platform

    modules = {
        "xgboost": "xgboost",
        "catboost": "catboost",
        "lightgbm": "lightgbm",
        "sklearn": "scikit-learn",
        "numpy": "numpy",
        "scipy": "scipy",
        "keras": "keras",
        "tf_keras": "tf-keras",
        "tensorflow": "tensorflow",
        "torch": "torch",
    }
    loaded = [(name, sys.modules[module].__version__) for module, name in modules.items() if module in sys.modules]
    return [*loaded, ("Python", platform.python_version())]


def main():
    """The command line."""
    loader, path, rows, paths = sys.argv[1:]
    sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), *json.loads(paths)]
    # What a library prints must not stand amid the answer.
    file = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    questions = list(read_all(rows))
    first, _, rows_of_a_call = questions[0]
    model = load_network(loader, path, first, rows_of_a_call) if loader in NETWORKS else load(loader, path)
    for inputs, names, rows_of_a_call in questions:
        write(file, *answer_all(model, names, Table(inputs, model, rows_of_a_call)))


if __name__ == "__main__":
    main()
