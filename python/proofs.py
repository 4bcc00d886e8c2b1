"""What each row of docs/targets.md rests on: tests say it themselves, by a mark, and the page is made of them.

    @proof("AWS Lambda", "a zip runs", EMULATOR)

`python3 python/proofs.py > docs/targets.md`; tests/test_proofs.py holds the page to it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("python/tests", "python/worker/tests", "python/frameworks")


@dataclass(frozen=True)
class Peer:
    """What stands on the other side, and how much that says."""

    level: int
    name: str


EMULATOR = Peer(1, "AWS' own emulator of Lambda (aws-sam-cli)")
RIC = Peer(1, "awslambdaric, AWS' own client of Lambda's Runtime API")
BOTO3 = Peer(1, "boto3 and the AWS command line, unmodified")
CONTAINERS = Peer(1, "docker-registry, skopeo, podman and runc")
FUNCTIONS_FRAMEWORK = Peer(1, "functions-framework, Google's own")
AZUREML_SERVER = Peer(1, "azureml-inference-server-http, Azure's own")
TRITON = Peer(1, "tritonclient, unmodified")
QEMU = Peer(2, "qemu, an emulator of the processor: no real arm64")
MOTO = Peer(2, "moto, an independent emulator of AWS")
BOTOCORE = Peer(3, "botocore's model of the API: the same call, written by it")
OURSELVES = Peer(1, "the platform itself, as users start it")
DOCUMENTATION = Peer(4, "the documentation: both sides are ours")

LEVELS = {
    1: "tested against the provider's own program, or the official open-source one",
    2: "tested against an independent emulator of the service or of its processor",
    3: "requests validated against the published model of the API, never run against the service",
    4: "implemented from the documentation; not verified against the service",
}
#: In the order of the page.
TARGETS = (
    "A platform of ours",
    "AWS Lambda",
    "SageMaker",
    "Cloud Run and Cloud Functions",
    "Vertex AI",
    "Azure Functions",
    "Azure Machine Learning",
    "Knative",
    "Any container host",
    "Clients",
)


@dataclass(frozen=True, order=True)
class Proof:
    """One mark: a test, and what it shows of a target."""

    target: str
    shows: str
    level: int
    against: str
    test: str


def proof(target: str, shows: str, peer: Peer):
    """Marks a test, or with `pytestmark` a file of tests."""
    import pytest  # noqa: PLC0415

    return pytest.mark.proof(target, shows, peer)


def marks(path: Path) -> list[Proof]:
    """The marks in a file, read without running it."""
    found = []

    def take(nodes: list[ast.expr], test: str) -> None:
        for node in nodes:
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and getattr(call.func, "id", None) == "proof":
                    target, shows, peer = call.args
                    peer = globals()[peer.id]
                    found.append(Proof(target.value, shows.value, peer.level, peer.name, test))

    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "pytestmark":
            take([node.value], path.name)
        elif isinstance(node, ast.FunctionDef):
            take(node.decorator_list, f"{path.name}::{node.name}")
    return found


def page() -> str:
    """The page."""
    found = [mark for folder in FOLDERS for path in sorted((ROOT / folder).glob("test_*.py")) for mark in marks(path)]
    unknown = {mark.target for mark in found} - set(TARGETS)
    assert not unknown, f"{unknown} is no row of the page"
    lines = [
        "# Targets, and how far each is proved",
        "",
        "Made by `python3 python/proofs.py` out of what the tests say of themselves. No test runs against a cloud's own service:",
        "accounts, permissions, quotas, bills and cold starts there are in none of these rows.",
        "",
        "| level | what it means |",
        "|---|---|",
        *(f"| {level} | {meaning} |" for level, meaning in LEVELS.items()),
    ]
    for target in TARGETS:
        rows: dict[tuple[int, str, str], list[str]] = {}
        for mark in sorted(mark for mark in found if mark.target == target):
            rows.setdefault((mark.level, mark.shows, mark.against), []).append(mark.test)
        lines += ["", f"## {target}", ""]
        if not rows:
            lines.append("Nothing yet.")
            continue
        lines += ["| level | what | against | held by |", "|---|---|---|---|"]
        for (level, shows, against), tests in sorted(rows.items()):
            names = ", ".join(f"`{test}`" for test in sorted(set(tests)))
            lines.append(f"| {level} | {shows} | {against} | {names} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
