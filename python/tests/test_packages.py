"""What goes along with code: its packages, its Python, its files; and what is refused at deploy, with words."""

from __future__ import annotations

import functools
import http.server
import io
import os
import platform as platform_module
import re
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
from functions import SCIENCE, folder, lines
from harness import ROOT, UV, Function, Platform, eventually
from sklearn.linear_model import LogisticRegression

HANDLER = "def handler(event, context):\n    return 1\n"
#: Small, of Python alone, without packages of its own.
SMALL = "idna==3.10\n"
USES_SMALL = (
    "import idna\ndef handler(event, context):\n    return [idna.__version__, idna.encode('bücher').decode()]\n"
)
WHEEL = "own_wheel-1.0+cpu-py3-none-any.whl"
USES_WHEEL = "import own_wheel\ndef handler(event, context):\n    return own_wheel.TEXT\n"
PROJECT = """\
[project]
name = "scores"
version = "1.0"
requires-python = ">=3.10"
dependencies = ["idna==3.10"]
"""
#: A deploy of scikit-learn and pandas whose packages are on this machine ends within this, by a debug build beside other tests. What is
#: promised of a release build on a quiet machine (30 s) is printed, and stands in SPECIFICATION.md with what it was.
WARM_DEPLOY_S = 90


@pytest.fixture
def said(platform: Platform, tmp_path: Path):
    """Lays out files and gives what their refused deploy says."""

    def refusal(files: dict[str, str | bytes], manifest: dict | None = None) -> str:
        return platform.refused(folder(tmp_path / "refused", files, manifest))

    return refusal


def deploy(platform: Platform, name: str, files: dict[str, str | bytes], manifest: dict | None = None) -> Function:
    """Deploys a folder of these files."""
    return platform.deploy(folder(platform.work / "code" / name, files, manifest), name)


def packages(function: Function) -> list[str]:
    """What its card says that it has."""
    return function.status()["card"]["handler"]["packages"]["packages"]


# -- what says which packages ----


def test_requirements_txt_is_resolved_and_what_it_came_to_stands_on_the_card(platform):
    """Also what the packages need themselves."""
    function = deploy(
        platform, "packages-txt", {"app.py": USES_SMALL, "requirements.txt": "idna>=3.9,<3.11  # texts\n"}
    )
    assert packages(function) == ["idna==3.10"]
    assert function.post({}).json() == ["3.10", "xn--bcher-kva"]
    assert "idna==3.10" in platform.cli("describe", function.name).stdout


def test_pyproject_says_it_as_well_and_a_lock_says_it_to_the_version(platform, tmp_path):
    """`uv.lock` is taken as it stands, though newer versions would be allowed."""
    function = deploy(platform, "packages-project", {"app.py": USES_SMALL, "pyproject.toml": PROJECT})
    assert (packages(function), function.post({}).json()[0]) == (["idna==3.10"], "3.10")
    place = folder(tmp_path / "locked", {"app.py": USES_SMALL, "pyproject.toml": PROJECT.replace('3.10"]', '3.7"]')})
    lock = [UV, "lock", "--quiet", "--project", str(place)]
    assert subprocess.run(lock, check=False, capture_output=True, timeout=120).returncode == 0
    (place / "pyproject.toml").write_text(PROJECT.replace("==3.10", ">=3.7"))
    function = platform.deploy(place, "packages-locked")
    assert (packages(function), function.post({}).json()[0]) == (["idna==3.7"], "3.7")


def test_a_file_that_the_requirements_name_belongs_to_them(platform):
    """Whether it lists packages or limits them: a change of it is a change of the packages."""
    files = {"app.py": USES_SMALL, "requirements.txt": "-r more/base.txt\n", "more/base.txt": "-c limits.txt\nidna\n"}
    for version in ("3.10", "3.7"):
        function = deploy(platform, "packages-named", files | {"more/limits.txt": f"idna=={version}\n"})
        assert (packages(function), function.post({}).json()[0]) == ([f"idna=={version}"], version)


def wheel(text: str) -> bytes:
    """A wheel of one module that says a text."""
    about, content = "own_wheel-1.0+cpu.dist-info", io.BytesIO()
    files = {
        "own_wheel.py": f"TEXT = {text!r}\n",
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: own-wheel\nVersion: 1.0+cpu\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(content, "w") as archive:
        for name, said in files.items():
            archive.writestr(name, said)
        archive.writestr(f"{about}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{about}/RECORD"]))
    return content.getvalue()


@pytest.mark.parametrize("asked", ["--find-links ./wheels\nown-wheel==1.0+cpu\n", f"./wheels/{WHEEL}\n"])
def test_a_wheel_beside_the_code_is_taken_from_there(platform, asked):
    """From wherever the deploy is typed; one that is built again under its name is another one."""
    for text in ("first", "second"):
        files = {"app.py": USES_WHEEL, "requirements.txt": asked, f"wheels/{WHEEL}": wheel(text)}
        function = deploy(platform, "packages-wheel", files)
        assert (packages(function), function.post({}).json()) == (["own-wheel==1.0+cpu"], text)


def test_packages_that_somebody_changed_are_installed_anew(platform, own_platform):
    """uv shares files between environments: who adds a line in site-packages of one, or a certificate to certifi's, changes all."""
    published = f"as it was published {uuid.uuid4()}"  # Packages of runs before stay in the cache.
    files = {"app.py": USES_WHEEL, "requirements.txt": f"./{WHEEL}\n", WHEEL: wheel(published)}
    layer = deploy(platform, "packages-changed", files).status()["card"]["handler"]["packages"]["sha256"]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelet" / "layers"
    [kept] = [card.parent for card in cache.glob("*/layer.json") if layer in card.read_text()]
    (kept / "packages" / "own_wheel.py").unlink()
    (kept / "packages" / "own_wheel.py").write_text("TEXT = 'changed'\n")
    function = deploy(own_platform, "packages-changed", files)
    assert function.post({}).json() == published
    assert function.status()["card"]["handler"]["packages"]["sha256"] == layer
    assert published in (kept / "packages" / "own_wheel.py").read_text()


def test_the_same_packages_are_the_same_bytes_wherever_they_were_installed(platform, own_platform, tmp_path, monkeypatch):
    """Into whatever folder, when, from a wheel or an index: with bytecode, and with programs for a shell that do not travel."""
    files = {"app.py": USES_WHEEL, "requirements.txt": f"./{WHEEL}\nuvicorn==0.35.0\n", WHEEL: wheel("the same")}
    here = deploy(platform, "packages-same", files)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    there = deploy(own_platform, "packages-same", files)
    one, other = (function.status()["card"]["handler"]["packages"] for function in (here, there))
    assert one == other
    assert there.post({}).json() == "the same"
    [kept] = (tmp_path / "cache" / "modelet" / "layers").glob("*/packages")
    assert (kept / "uvicorn" / "__pycache__" / f"main.{sys.implementation.cache_tag}.pyc").exists()
    told = b"".join(path.read_bytes() for path in kept.rglob("*") if path.is_file() and "bin" not in path.parts)
    assert str(tmp_path).encode() not in told, "nobody's folders travel"


def test_an_index_that_the_requirements_name_is_asked_too(platform, tmp_path):
    """As PyTorch's own index of wheels without what graphics cards need: `--extra-index-url`."""
    place = folder(tmp_path / "index", {f"simple/own-wheel/{WHEEL}": wheel("of an index")})
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=place)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asked = f"--extra-index-url http://127.0.0.1:{server.server_port}/simple\nown-wheel==1.0+cpu\n"
        function = deploy(platform, "packages-index", {"app.py": USES_WHEEL, "requirements.txt": asked})
        server.shutdown()
    assert function.post({}).json() == "of an index"


def test_what_conda_wrote_is_refused_with_what_to_do(said):
    text = said({"app.py": HANDLER, "environment.yml": "dependencies: [numpy]\n"})
    assert "environment.yml" in text and "requirements.txt" in text and "pip list --format=freeze" in text


def test_packages_that_cannot_be_had_are_refused_by_name(said):
    """One that there is not, two that do not go together, one of which there is only source."""
    text = said({"app.py": HANDLER, "requirements.txt": "no-such-package-of-modelet==1.0\n"})
    assert "no-such-package-of-modelet was not found" in text and "requirements.txt" in text
    text = said({"app.py": HANDLER, "requirements.txt": "requests==2.32.3\nidna==2.0\n"})
    assert "requests==2.32.3" in text and "idna" in text and "packages-refused" in text
    text = said({"app.py": HANDLER, "requirements.txt": "docopt==0.6.2\n"})
    assert "docopt==0.6.2 has no usable wheels" in text
    assert "next:" in text or "hint:" in text


def test_a_line_that_is_no_requirement_is_refused_with_its_place(said):
    assert re.search(r"requirements\.txt.*\b2\b", said({"app.py": HANDLER, "requirements.txt": "idna==3.10\n!!\n"}))


# -- code that cannot start ----


def test_an_import_that_is_not_in_the_requirements_is_refused_with_line_and_package(said):
    """Nothing of the deploying machine's own packages is taken by mistake."""
    text = said({"app.py": "import os\nimport numpy as np\n" + HANDLER})
    assert "No module named 'numpy'" in text and "app.py:2" in text
    assert "requirements.txt" in text
    inner = {"app.py": "from lib import part\n" + HANDLER, "lib/part.py": "\n\nimport yaml\n", "lib/__init__.py": ""}
    text = said(inner | {"requirements.txt": SMALL})
    assert "No module named 'yaml'" in text and "lib/part.py:3" in text


def test_an_import_within_a_function_is_tried_as_well_unless_its_author_can_do_without(platform, said):
    """It would fail in the first call that comes so far."""
    text = said({"app.py": "def handler(event, context):\n    import yaml\n    return 1\n"})
    assert "yaml" in text and "requirements.txt" in text and re.search(r"app\.py(:|, line )2", text)
    source = """\
def handler(event, context):
    try:
        import yaml
    except ImportError:
        return "without"
"""
    assert deploy(platform, "packages-optional", {"app.py": source}).post({}).json() == "without"


def test_code_that_reads_a_secret_while_it_is_imported_is_deployed_and_gets_it(platform):
    """Its value is the platform's: the deploy, which does not know it, tries the code with another."""
    platform.cli("secret", "set", "packages-key", stdin="of the partner")
    source = "import os\nKEY = os.environ['API_KEY']\ndef handler(event, context):\n    return KEY\n"
    function = deploy(platform, "packages-secret", {"app.py": source}, {"secrets": {"API_KEY": "packages-key"}})
    assert function.post({}).json() == "of the partner"


def test_code_has_a_path_when_it_is_tried_as_it_has_one_later(platform):
    source = "import os\nPATH = os.environ['PATH']\ndef handler(event, context):\n    return PATH\n"
    assert "/usr/bin" in deploy(platform, "packages-path", {"app.py": source}).post({}).json()


def test_a_library_of_another_machine_is_refused_by_name(said):
    """S59: vendored on an ARM laptop."""
    head = b"\x7fELF\x02\x01\x01" + bytes(11) + (183).to_bytes(2, "little")
    if platform_module.machine() == "aarch64":
        head = head[:18] + (62).to_bytes(2, "little")
    text = said({"app.py": HANDLER, "lib/fast.so": head + bytes(44)})
    assert "lib/fast.so is made for" in text and "handler-refused" in text and "requirements.txt" in text


def test_code_that_fails_while_it_is_imported_is_refused_with_type_file_and_line(said):
    for source, words in (
        ("raise RuntimeError('no model here')\n", ["RuntimeError", "no model here", "app.py", "1"]),
        ("x = {}\ny = x['data']\n", ["KeyError", "data", "app.py", "2"]),
        ("open('weights.bin')\n", ["FileNotFoundError", "weights.bin", "app.py", "1"]),
        ("import sys\nsys.exit(2)\n", ["ended Python", "app.py:2", "__main__"]),
    ):
        text = said({"app.py": source + HANDLER})
        assert [word for word in words if word not in text] == [], text


def test_code_that_python_cannot_read_is_refused_with_its_line(said):
    text = said({"app.py": "import os\ndef handler(event, context)\n    return 1\n"})
    assert "app.py, line 2" in text and "expected ':'" in text


def test_code_that_crashes_python_while_it_is_imported_is_refused(said):
    text = said({"app.py": "import ctypes\nctypes.string_at(1)\n" + HANDLER})
    assert "SIGSEGV" in text and "handler-refused" in text


def test_code_that_never_gets_ready_is_given_up_after_its_limit(said):
    text = said({"app.py": "import time\ntime.sleep(3600)\n" + HANDLER}, {"settings": {"load_timeout_ms": 300}})
    assert "load_timeout_ms = 300" in text and "load-timeout" in text


def test_a_handler_that_cannot_be_called_is_refused(said):
    for manifest in ({}, {"handler": "app.lambda_handler"}):
        text = said({"app.py": "\nasync def lambda_handler(event, context):\n    return 1\n"}, manifest)
        assert "async def" in text and "line 2" in text
    text = said({"app.py": "def run(a, b, c):\n    return 1\n"}, {"handler": "app.run"})
    assert "run(a, b, c)" in text and "line 1" in text


# -- which one answers ----


def test_of_several_handlers_none_is_guessed_and_the_manifest_decides(platform, said):
    files = {"app.py": HANDLER, "other.py": HANDLER.replace("1", "2")}
    text = said(files)
    assert "app.handler, other.handler" in text and 'handler = "app.handler"' in text
    assert deploy(platform, "packages-named", files, {"handler": "other.handler"}).post({}).json() == 2
    text = said(files, {"handler": "other.predict"})
    assert "other.py defines no predict" in text and "handler" in text
    assert "no third.py" in said(files, {"handler": "third.handler"})


def test_a_handler_in_a_folder_is_named_by_its_path(platform):
    files = {
        "src/api/app.py": "from . import part\ndef handler(event, context):\n    return part.N\n",
        "src/api/part.py": "N = 3\n",
    }
    for name in ("src.api.app.handler", "src/api/app.handler", "src/api/app.py:handler"):
        assert deploy(platform, "packages-deep", files, {"handler": name}).post({}).json() == 3, name


def test_code_that_cannot_answer_is_not_passed_over_for_a_model_beside_it(said):
    """The model alone would answer something else than its author meant."""
    for source in (
        "async def lambda_handler(event, context):\n    return 1\n",
        "def create_app():\n    return FastAPI()\n",
    ):
        model = ROOT / "examples" / "iris" / "model.onnx"
        text = said({"app.py": "from fastapi import FastAPI\n" + source, "model.onnx": model.read_bytes()})
        assert "app.py" in text


def test_one_file_is_a_function_with_the_requirements_beside_it(platform, tmp_path):
    """`modelet deploy score.py`: that file and no other."""
    for name in ("score_now.py", "score-now.py"):
        place = folder(tmp_path / "one", {name: USES_SMALL, "other.py": HANDLER, "requirements.txt": SMALL})
        function = platform.deploy(place / name, "packages-one-file")
        assert function.post({}).json()[0] == "3.10", name


# -- again ----


def test_the_same_folder_is_unchanged_and_changed_code_keeps_its_packages(platform, tmp_path):
    """Nothing is resolved, installed or sent again for a change of code."""
    files = {"app.py": USES_SMALL, "requirements.txt": SMALL}
    place = folder(tmp_path / "again", files)
    platform.cli("deploy", place, "--name", "packages-again")
    done = platform.cli("deploy", place, "--name", "packages-again")
    assert "unchanged" in done.stdout + done.stderr
    (place / "app.py").write_text(USES_SMALL.replace("bücher", "müller"))
    done = platform.cli("deploy", place, "--name", "packages-again")
    assert "packages-again@2" in done.stdout
    for word in ("resolving", "installing", "sending"):
        assert word not in done.stderr, done.stderr
    assert Function(platform, "packages-again", {}).post({}).json()[1] == "xn--mller-kva"


def test_scikit_learn_and_pandas_are_deployed_in_time_with_progress(code, own_platform):
    """To a platform that does not have them yet, from a machine that does; the largest packages are named."""
    source = "import pandas, sklearn.linear_model\n" + HANDLER
    code("packages-science", source, SCIENCE)  # brings them where this machine does not have them
    place = folder(own_platform.work / "science", {"app.py": source, "requirements.txt": SCIENCE})
    begin = time.monotonic()
    done = own_platform.cli("deploy", place)
    took_s = time.monotonic() - begin
    print(f"a deploy of scikit-learn and pandas, packages known here and not there: {took_s:.1f} s")
    assert took_s < WARM_DEPLOY_S
    for word in ("reading", "trying it in a sandbox", "sending", "publishing"):
        assert word in done.stderr
    (line,) = re.findall(r"packages .*", done.stdout)
    assert "scipy" in line and "MB" in line and ".lock" not in line and "dist-info" not in line


# -- which Python ----


def pythons() -> dict[str, Path]:
    """Folders of the Pythons of this machine that run, by their versions."""
    places = [Path(place) for place in os.environ["PATH"].split(":")]
    places += sorted((Path.home() / ".pyenv" / "versions").glob("*/bin"))
    found = {}
    for minor in range(10, 15):
        for place in places:
            program = place / f"python3.{minor}"
            if (
                program.exists()
                and subprocess.run([program, "-c", ""], check=False, capture_output=True).returncode == 0
            ):
                found.setdefault(f"3.{minor}", place)
    return found


def test_several_pythons_stand_side_by_side(tmp_path, monkeypatch):
    """By modelet.toml and by .python-version, the manifest first; each function gets its own."""
    here = pythons()
    if len(here) < 2:
        pytest.skip(f"this machine has Python {', '.join(here)} alone")
    one, two = list(here)[:2]
    monkeypatch.setenv("PATH", ":".join([str(here[one]), str(here[two]), os.environ["PATH"]]))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    platform = Platform(tmp_path).start()
    source = "import sys\ndef handler(event, context):\n    return '%d.%d' % sys.version_info[:2]\n"
    for name, files, version in (
        ("by-file", {".python-version": f"{one}\n"}, one),
        ("by-manifest", {"modelet.toml": f'[python]\nversion = "{two}"\n'}, two),
        ("by-both", {".python-version": f"{two}.1\n", "modelet.toml": f'[python]\nversion = "{one}"\n'}, one),
        (
            "by-project",
            {"pyproject.toml": f'[project]\nname = "x"\nversion = "1"\nrequires-python = "=={two}.*"\n'},
            two,
        ),
    ):
        function = deploy(platform, name, {"app.py": source} | files)
        assert function.post({}).json() == version, name
        assert function.status()["card"]["handler"]["version"] == version
    platform.stop()


def test_a_python_that_is_not_to_be_had_is_refused(said):
    text = said({"app.py": HANDLER}, {"python": {"version": "3.42"}})
    assert "modelet.toml asks for Python 3.42" in text and "python-missing" in text
    assert 'version = "latest" is not one such as "3.11"' in said(
        {"app.py": HANDLER}, {"python": {"version": "latest"}}
    )


# -- which files ----


def test_secrets_tools_and_environments_do_not_travel(platform):
    """What begins with a dot, virtual environments, bytecode; all else does, and is there to be read."""
    source = """\
import os
def handler(event, context):
    return sorted(os.path.relpath(os.path.join(at, name)) for at, _, names in os.walk(".") for name in names)
"""
    left = (
        ".env",
        ".git/config",
        ".venv/lib/x.py",
        "mine/pyvenv.cfg",
        "mine/lib.py",
        "venv/x.py",
        "__pycache__/app.pyc",
    )
    files = dict.fromkeys(left, "x") | {"data/weights.bin": "w", "data/deep/er/é.txt": "é", "app.py": source}
    function = deploy(platform, "packages-files", files)
    assert function.post({}).json() == ["app.py", "data/deep/er/é.txt", "data/weights.bin"]


def test_links_within_the_folder_are_followed_and_those_that_lead_out_refused(platform, said, tmp_path):
    place = folder(
        tmp_path / "links",
        {"app.py": "def handler(event, context):\n    return open('alias.txt').read()\n", "a.txt": "a"},
    )
    (place / "alias.txt").symlink_to("a.txt")
    assert platform.deploy(place, "packages-links").post({}).json() == "a"
    (place / "alias.txt").unlink()
    (place / "alias.txt").symlink_to("/etc/hostname")
    text = platform.refused(place)
    assert "alias.txt is a link that leads out of the folder" in text and "into the folder" in text


def test_a_model_that_code_names_by_an_absolute_path_goes_along_and_is_loaded_once(platform, tmp_path):
    """S29: the tutorials' `load("/path/to/model")` within the call; one that is not there is refused with the line."""
    path = tmp_path / "models" / "model.joblib"
    path.parent.mkdir()
    rows = np.random.default_rng(0).normal(size=(50, 3))
    model = LogisticRegression().fit(rows, rows[:, 0] > 0)
    joblib.dump(model, path)
    source = f"""\
import joblib

def lambda_handler(event, context):
    model = joblib.load({str(path)!r})
    return [id(model), model.predict_proba(event["data"])]
"""
    function = deploy(platform, "packages-outside", {"app.py": source, "requirements.txt": SCIENCE})
    path.unlink()
    answers = [function.post({"data": rows.tolist()}).json() for _ in range(3)]
    assert len({loaded for loaded, _ in answers}) == 1, "the same object each time"
    np.testing.assert_allclose(answers[0][1], model.predict_proba(rows), rtol=1e-12)
    (notice,) = eventually(lambda: lines(function, "memoize_loaders"), what="the log says what is saved")
    assert "joblib.load" in notice["text"]
    text = platform.refused(folder(tmp_path / "gone", {"app.py": source, "requirements.txt": SCIENCE}))
    assert f'app.py, line 4: joblib.load is given "{path}", which is not there' in text
