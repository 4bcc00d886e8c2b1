"""The Python worker: loads a user's handler inside an instance, and answers the calls that the runtime hands it.

`boot.py` starts it, `worker.py` is its life, `wire.py` how it speaks. Each kind of handler is a file in `kinds/`.
Standard library only, and of that only what a call needs: what is imported here, each cold start pays for.
"""
