"""What becomes of every estimator of scikit-learn: computed natively and the same, or refused with words.

    python fidelity.py [FOLDER]

prints a table; FOLDER has what `estimators.py` wrote with another version of scikit-learn.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import estimators
import numpy as np
import telling
from harness import Function, Platform

#: How far numbers may be apart, as the certificate says.
TOLERANCE = 1e-10


def outcome(platform: Platform, path: Path) -> str:
    """`native`, `refused: WHY` or `wrong: HOW`; `no answer` where the estimator itself answers for no new rows."""
    if not path.with_suffix(".npz").exists():
        return "no answer"
    saved = dict(np.load(path.with_suffix(".npz"), allow_pickle=True))
    rows = saved.pop("rows")
    if not saved:
        return "no answer"
    done = platform.cli("deploy", path, "--name", "fidelity", "--no-proof", check=False)
    if done.returncode != 0:
        return f"refused: {reason(done.stderr)}"
    try:
        function = Function(platform, "fidelity", {})
        wrong = [f"{output}: {how}" for output, wanted in saved.items() if (how := differs(function, rows, output, wanted))]
        return f"wrong: {'; '.join(wrong)}" if wrong else "native"
    finally:
        platform.cli("delete", "fidelity", "--yes")


def differs(function: Function, rows: np.ndarray, output: str, wanted: np.ndarray) -> str:
    """How the platform's answer is another one; nothing where it is the same."""
    try:
        found = np.array(telling.labels(function, rows)) if output == "label" else telling.answer(function, rows, output)
    except AssertionError as error:
        return str(error)[:200]
    if found.shape != wanted.shape:
        return f"shape {found.shape}, not {wanted.shape}"
    if output == "label":
        apart = found != wanted
        return f"{apart.sum()} of {len(rows)}" if apart.any() else ""
    close = np.isclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    return "" if close.all() else f"{(~close).sum()} numbers, by {np.nanmax(np.abs(found - wanted)):.2g}"


def reason(said: str) -> str:
    """Why, out of what the command line said."""
    found = re.search(r"scikit-learn [\d.]+(?: \([^)]*\))?[^:]*: (.*)", said)
    return (found.group(1) if found else said[said.find("error:") :].splitlines()[0])[:160]


def main(folder: Path | None) -> None:
    """Prints the table, and how many there are of each."""
    with tempfile.TemporaryDirectory() as work:
        if folder is None:
            folder = Path(work) / "models"
            estimators.main(folder)
        platform = Platform(Path(work)).start()
        found = {path.stem: outcome(platform, path) for path in sorted(folder.glob("*.joblib"))}
        platform.stop()
    for name, what in found.items():
        print(f"{name:34} {what}")
    alone = [what.partition(":")[0] for name, what in found.items() if "-" not in name]
    print({kind: alone.count(kind) for kind in sorted(set(alone))})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
