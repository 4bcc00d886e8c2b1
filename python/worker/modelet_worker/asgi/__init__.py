"""Applications of ASGI 3: what they receive and send."""
