"""Records of `logging` as records of the log."""

import sys
import time

from modelet_worker.records import log

#: awslambdaric's own form.
TEXT_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
TEXT_DATE = "%Y-%m-%dT%H:%M:%S"


def install(logging, kind):
    """For Lambda's handlers the root logger has a handler, as there, so that `basicConfig` changes nothing. For others
    it is the one for where there is none, as in any Python."""

    class RecordHandler(logging.Handler):
        """Writes each record as one."""

        def emit(self, record):
            try:
                text = self.format(record)
                if log.sequence:
                    log.record(record.levelname, text)
                else:
                    sys.stdout.write(text)
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
    if not log.sequence:
        handler.setFormatter(logging.Formatter(TEXT_FORMAT, TEXT_DATE))
    if kind == "lambda":
        logging.Formatter.converter = time.gmtime
        logging.getLogger().addHandler(handler)
    else:
        logging.lastResort = handler
