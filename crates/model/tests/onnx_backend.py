"""Writes every backend test of the `onnx` package as files: the cases that `tests/onnx_backend.rs` runs.

    python onnx_backend.py FOLDER

FOLDER/KIND/NAME/model.onnx, FOLDER/KIND/NAME/test_data_set_N/{input,output}_M.pb, FOLDER/KIND/NAME/tolerance.txt
(relative and absolute, as onnx's own runner uses them). They lie in the package's `data` folder; newer versions make the node
tests in memory. The `light` models have no inputs: theirs are made as `onnx.backend.test.runner` makes them.
"""

import os
import shutil
import sys
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import DATA_DIR, load_model_tests
from onnx.backend.test.runner import Runner


def as_proto(value, info):
    if isinstance(value, onnx.TensorProto):
        return value
    kind = info.type.WhichOneof("value")
    if kind == "map_type":
        return numpy_helper.from_dict(value, info.name)
    if kind == "sequence_type":
        return numpy_helper.from_list(value, info.name)
    if kind == "optional_type":
        return numpy_helper.from_optional(value, info.name)
    return numpy_helper.from_array(np.asarray(value), info.name)


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def write_node_test(case, folder):
    write(os.path.join(folder, "model.onnx"), case.model.SerializeToString())
    for number, (inputs, outputs) in enumerate(case.data_sets):
        for kind, values, infos in (
            ("input", inputs, case.model.graph.input),
            ("output", outputs, case.model.graph.output),
        ):
            for index, (value, info) in enumerate(zip(values, infos, strict=False)):
                name = os.path.join(folder, f"test_data_set_{number}", f"{kind}_{index}.pb")
                write(name, as_proto(value, info).SerializeToString())


def write_light_test(path, folder):
    model = onnx.load(path)
    write(os.path.join(folder, "model.onnx"), model.SerializeToString())
    data = os.path.join(folder, "test_data_set_0")
    constant = {tensor.name for tensor in model.graph.initializer}
    infos = [info for info in model.graph.input if info.name not in constant]
    for index, info in enumerate(infos):
        array = Runner.generate_dummy_data(info)
        proto = numpy_helper.from_array(array, info.name)
        write(os.path.join(data, f"input_{index}.pb"), proto.SerializeToString())
    shutil.copy(path.removesuffix(".onnx") + "_output_0.pb", os.path.join(data, "output_0.pb"))


def main(target):
    tolerance = {}
    for kind in ("node", "simple", "pytorch-converted", "pytorch-operator"):
        for case in load_model_tests(kind=kind):
            folder = os.path.join(target, kind, case.name)
            if case.model_dir:
                shutil.copytree(case.model_dir, folder, dirs_exist_ok=True)
            else:
                write_node_test(case, folder)
            tolerance[folder] = (case.rtol, case.atol)
    names = {case.url.rsplit("/")[-1]: case for case in load_model_tests(kind="real")}
    light = os.path.join(DATA_DIR, "light")
    for file in sorted(os.listdir(light)):
        if file.endswith(".onnx"):
            folder = os.path.join(target, "light", "test_" + file.removesuffix(".onnx"))
            write_light_test(os.path.join(light, file), folder)
            case = names.get(file)
            tolerance[folder] = (case.rtol, case.atol) if case else (1e-3, 1e-7)
    for folder, (relative, absolute) in tolerance.items():
        write(os.path.join(folder, "tolerance.txt"), f"{relative} {absolute}\n".encode())
    print(f"{len(tolerance)} tests of onnx {onnx.__version__} in {target}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1])
