"""Applications of ASGI 3: FastAPI, Starlette and others, as `module:app`. One loop of asyncio answers all calls that
are in flight."""

import asyncio
import sys
from urllib.parse import unquote

from modelet_worker import entry
from modelet_worker.asgi.conversation import Conversation
from modelet_worker.asgi.exchange import Exchange
from modelet_worker.controls import controls
from modelet_worker.fault import Fault, described, exit_code
from modelet_worker.http_form import as_bytes
from modelet_worker.kinds.wsgi import server
from modelet_worker.records import log
from modelet_worker.worker import fail

VERSION = {"version": "3.0", "spec_version": "2.3"}


def load(start):
    """The application, its lifespan begun."""
    _, app = entry.find(start["module"], start["function"])
    name = f"{start['module']}:{start['function']}"
    if not callable(app):
        raise Fault("Runtime.HandlerNotFound", f"{name} is not an ASGI application but {type(app).__name__}")
    if is_demo(app):
        mounted = f"gradio.mount_gradio_app(fastapi.FastAPI(), {start['function']}, path='/')"
        words = f"{name} is Gradio's {type(app).__name__}, which is called but no application: app = {mounted} is one"
        raise Fault("Runtime.HandlerNotFound", words)
    return Host(app)


def is_demo(app):
    """Whether it is what Gradio calls blocks: `gr.Interface`, `gr.Blocks` and others."""
    blocks = sys.modules.get("gradio.blocks")
    return blocks is not None and isinstance(app, blocks.Blocks)


class Host:
    """Serves an application over the runtime's socket."""

    def __init__(self, app):
        self.app = app
        self.code = 0
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.lifespan = Lifespan(app)
        self.loop.run_until_complete(self.lifespan.begin())

    def serve(self, wire):
        """Answers calls until there are no more; the exit code."""
        self.loop.run_until_complete(self._serve(wire))
        self.loop.run_until_complete(self.lifespan.end())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
        return self.code

    async def _serve(self, wire):
        ended = asyncio.Event()
        calls = set()

        def readable():
            while True:
                frame = wire.receive()
                if frame is None:
                    self.loop.remove_reader(wire.fd)
                    controls.say_last()
                    ended.set()
                    return
                if not controls.take(*frame):
                    controls.expect(frame[0]["call"])
                    task = self.loop.create_task(self._answer(wire, *frame))
                    calls.add(task)
                    task.add_done_callback(calls.discard)
                if not wire.has_more():
                    return

        self.loop.add_reader(wire.fd, readable)
        await ended.wait()
        if calls:
            await asyncio.wait(calls)

    async def _answer(self, wire, header, body):
        log.begin(header["id"], alone=False)
        of_form = Conversation if header["form"] == "websocket" else Exchange
        exchange = of_form(wire, header, body)
        try:
            await self.app(scope(header, self.lifespan.state), exchange.receive, exchange.send)
            exchange.returned()
            log.end()
        except BaseException as error:
            if exchange.over.is_set():
                exchange.returned()
                log.failed(described(error))
                code = exit_code(error)
            else:
                code = fail(wire, header["call"], error)
            if code is not None:
                self.code = code
                wire.stop_receiving()
        finally:
            controls.end(header["call"])


class Lifespan:
    """Tells an application that it begins and that it ends; one that does not care is left alone."""

    def __init__(self, app):
        self.app = app
        self.state = {}
        self.asked = asyncio.Queue()
        self.told = asyncio.Queue()
        self.task = None

    async def begin(self):
        self.task = asyncio.ensure_future(self._run())
        await self.asked.put({"type": "lifespan.startup"})
        await self._outcome("startup")

    async def end(self):
        if not self.task.done():
            await self.asked.put({"type": "lifespan.shutdown"})
            await self._outcome("shutdown")

    async def _run(self):
        try:
            await self.app({"type": "lifespan", "asgi": VERSION, "state": self.state}, self.asked.get, self.told.put)
        except BaseException as error:
            await self.told.put({"type": "lifespan.raised", "error": error})

    async def _outcome(self, phase):
        """Waits for what the application says. Before it said anything, an error means that it knows no lifespan."""
        answered = asyncio.ensure_future(self.told.get())
        await asyncio.wait({answered, self.task}, return_when=asyncio.FIRST_COMPLETED)
        message = answered.result() if answered.done() else {"type": "lifespan.ignored"}
        answered.cancel()
        if message["type"] == f"lifespan.{phase}.failed":
            raise Fault("Runtime.AsgiError", f"the application's {phase} failed: {message.get('message', '')}")


def scope(call, state):
    """A call as ASGI's connection scope."""
    path = call.get("root", "") + call["path"]
    name, port = server(call)
    if call["form"] == "websocket":
        asked = [value for key, value in call["headers"] if key.lower() == "sec-websocket-protocol"]
        protocols = [one.strip() for value in asked for one in value.split(",")]
        kind = {"type": "websocket", "scheme": "ws", "subprotocols": protocols}
    else:
        kind = {"type": "http", "scheme": "http", "method": call["method"]}
    return {
        **kind,
        "asgi": VERSION,
        "http_version": "1.1",
        "path": unquote(path),
        "raw_path": as_bytes(path),
        "query_string": as_bytes(call.get("query") or ""),
        "root_path": call.get("root", ""),
        "headers": [(as_bytes(key.lower()), as_bytes(value)) for key, value in call["headers"]],
        "client": tuple(call["client"]) if call.get("client") else None,
        "server": (name, int(port)),
        "state": dict(state),
    }
