"""Functions of `functions-framework` (Google Cloud): the user's own package makes an application of them, which is
answered by here."""

import os

from modelet_worker import entry
from modelet_worker.fault import Fault


def load(start):
    """The application that the framework makes, of WSGI or, for functions that are `async`, of ASGI."""
    try:
        import functions_framework
    except ImportError as error:
        advice = "next: add `functions-framework` to requirements.txt, and deploy again"
        raise Fault("Runtime.ImportModuleError", f"{error}\n{advice}") from None
    source = os.path.join(start["folder"], start["module"].replace(".", "/") + ".py")
    app = entry.importing(
        start["module"],
        lambda: functions_framework.create_app(start["function"], source, start.get("signature_type")),
    )
    if hasattr(app, "wsgi_app"):
        from modelet_worker.kinds.wsgi import host

        return host(app, start.get("threads", 1))
    from modelet_worker.kinds.asgi import Host

    return Host(app)
