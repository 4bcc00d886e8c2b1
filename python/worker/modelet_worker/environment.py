"""What the user's code finds around it: the variables of Lambda that are true here, and libraries as they are watched
for."""

import os

from modelet_worker.fault import described
from modelet_worker.imports import watch
from modelet_worker.loaders import use_loaders
from modelet_worker.records import log


def describe(start):
    """Variables that handlers read. Those of AWS alone (credentials, region, log group) are not made up."""
    if start["kind"] == "lambda":
        known = {"_HANDLER": f"{start['module']}.{start['function']}", "LAMBDA_TASK_ROOT": start["folder"]}
        for variable, field in (("NAME", "name"), ("VERSION", "version"), ("MEMORY_SIZE", "memory_mib")):
            known[f"AWS_LAMBDA_FUNCTION_{variable}"] = start.get(field)
        os.environ.update({name: str(value) for name, value in known.items() if value is not None})
    if start["kind"] == "score":
        os.environ["AZUREML_MODEL_DIR"] = start["folder"]


def watch_libraries(start):
    """What is done once a library is imported: never before, so that nobody pays for what is not used."""
    watch.when_loaded("logging", lambda logging: set_logging(logging, start["kind"]))
    watch.when_loaded("threading", set_threading)
    watch_tempfile()
    use_loaders(start["options"].get("memoize_loaders", True), start.get("outside") or {})


def watch_tempfile():
    """The same of what has to hold while packages are imported, by a Python that is prepared for code too."""
    watch.when_loaded("tempfile", name_tempdir)


def name_tempdir(tempfile):
    """Where nothing can be written at all, who asks for the folder for temporary files is given its name: libraries do
    while they are imported, TensorFlow among them, and most write nothing. What is written there fails, and says so."""
    if "HOME" in os.environ:
        return  # a place with a /tmp of its own
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        tempfile.tempdir = "/tmp"


def set_threading(threading):
    """What a thread of the user's fails with is one record, as what a call fails with is."""
    threading.excepthook = tell_failed_thread


def tell_failed_thread(failed):
    if failed.exc_type is not SystemExit:
        fault = described(failed.exc_value)
        log.failed({**fault, "message": f"{fault['message']} (in the thread {failed.thread.name})"})


def set_logging(logging, kind):
    """Log records become records of the log."""
    from modelet_worker.logs import install

    install(logging, kind)
