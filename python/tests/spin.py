"""Has a hostile function compute, call after call: `python spin.py HOST:PORT PATH MS`. Ends after the call during which it is told to
(SIGTERM), with 1 if one was not answered 200.

A process of its own, since a thread beside that of a measured client takes its interpreter from it.
"""

from __future__ import annotations

import http.client
import json
import signal
import sys


def main(address: str, path: str, for_ms: str) -> None:
    """As above."""
    told = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(True))
    connection = http.client.HTTPConnection(address, timeout=60)
    body = json.dumps({"hostile": "spin", "target": for_ms})
    print("begins", flush=True)
    while not told:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise SystemExit(f"spin: {answer.status} {said[:500]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
