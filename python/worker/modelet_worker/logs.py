"""Records of `logging` as records of the log."""

import os
import time

from modelet_worker.records import log

#: Lambda's name for the least level that is logged there.
ENV_LEVEL = "AWS_LAMBDA_LOG_LEVEL"


def install(logging, kind):
    """For Lambda's handlers the root logger has a handler, as there, so that `basicConfig` changes nothing. For others
    it is the one for where there is none, as in any Python."""
    own = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "aws_request_id", "tenant_id"}

    class RecordHandler(logging.Handler):
        """Writes each record as one."""

        def emit(self, record):
            try:
                text = self.format(record)
                # With a form of the user's own it says what that says, and no more.
                log.record(record.levelname, text, **({} if self.formatter else details(logging, record, own)))
            except Exception:
                self.handleError(record)

    class CallFilter(logging.Filter):
        """Gives records the attributes that the cloud's have."""

        def filter(self, record):
            record.aws_request_id = log.invocation() or ""
            record.tenant_id = None
            return True

    handler = RecordHandler()
    handler.addFilter(CallFilter())
    if kind == "lambda":
        logging.Formatter.converter = time.gmtime
        root = logging.getLogger()
        root.addHandler(handler)
        wanted = os.environ.get(ENV_LEVEL, "").upper()
        level = logging.getLevelName("DEBUG" if wanted == "TRACE" else wanted)
        if isinstance(level, int):
            root.setLevel(level)
    else:
        logging.lastResort = handler


def details(logging, record, own):
    """What awslambdaric's JSON says of a record beside level and text; `own` are attributes that every record has."""
    found = {"logger": record.name}
    nearest = logging.getLevelName(min(50, max(0, record.levelno)) // 10 * 10)
    if nearest != record.levelname:
        found["counts_as"] = nearest
    if isinstance(record.msg, dict) and not record.args:
        found["said"] = record.msg
    if record.exc_info:
        import traceback

        kind, error, trace = record.exc_info
        found.setdefault("said", record.getMessage())
        found["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        if kind is not None:
            found["raised"] = {"type": kind.__name__, "message": str(error), "stack": traceback.format_tb(trace)}
    fields = {name: value for name, value in vars(record).items() if name not in own and value is not None}
    if fields:
        found["fields"] = fields
    return found
