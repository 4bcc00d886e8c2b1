"""Adds to sklearn.txt the classes of the scikit-learn that is installed. Run it with each version that is to be known:

    python sklearn.py sklearn.txt

Only classes that scikit-learn itself defines come in. Read the difference before you commit it: what is listed may be
called by a file that nobody has looked at, with any arguments.
"""

import importlib
import inspect
import pkgutil
import re
import sys
import warnings
from pathlib import Path

# A script's own folder comes first in the search, and this script is named as the library is.
sys.path.pop(0)
import sklearn

LEFT_OUT = re.compile(
    r"sklearn\.(utils|callback|inspection|exceptions|experimental|datasets|externals|_build_utils|conftest)\b"
    r"|\.tests\b|\.conftest\b|_testing"
)
NOT_DATA = re.compile(r"Display|Exporter|Pytest|Protocol|DrawTree|CallbackBridge")


def classes() -> dict[str, set[str]]:
    """Subpackage, and the names of its classes."""
    found: dict[str, set[str]] = {}
    for module in pkgutil.walk_packages(sklearn.__path__, "sklearn."):
        if LEFT_OUT.search(module.name):
            continue
        for name, item in vars(importlib.import_module(module.name)).items():
            own = inspect.isclass(item) and item.__module__.startswith("sklearn.") and item.__name__ == name
            if own and not LEFT_OUT.match(item.__module__) and not NOT_DATA.search(name):
                found.setdefault(".".join(item.__module__.split(".")[:2]), set()).add(name)
    return found


def main() -> None:
    """Merges into the list."""
    warnings.simplefilter("ignore")
    path = Path(sys.argv[1])
    kept, lines = [], {}
    for line in path.read_text().splitlines():
        head, _, names = line.partition(":")
        if line.startswith("#") or not head.endswith("/"):
            kept.append(line)
        else:
            lines[head.rstrip("/")] = set(names.split())
    for package, names in classes().items():
        lines.setdefault(package, set()).update(names)
    made = [f"{package}/: {' '.join(sorted(names))}" for package, names in sorted(lines.items())]
    path.write_text("\n".join(kept + made) + "\n")


if __name__ == "__main__":
    main()
