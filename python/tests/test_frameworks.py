"""Django and Gradio, in the smallest form that their users write, through the platform."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import httpx
import pytest
from functions import folder, lines
from harness import Function, Platform, eventually

DJANGO = "django==5.2.19\n"
GRADIO = "gradio==6.31.0\n"


def ask(function: Function, method: str, path: str, **options: object) -> httpx.Response:
    """A call below the function's own path."""
    return function.platform.http.request(method, f"{function.path}{path}", **options)


# -- Django ----

PROJECT = {
    "manage.py": """\
import os, sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
""",
    "shop/__init__.py": "",
    "shop/settings.py": """\
from pathlib import Path

BASE = Path(__file__).parent
SECRET_KEY = "x"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [BASE / "templates"]}]
LOGGING_CONFIG = None
""",
    "shop/urls.py": """\
from django.urls import path
from shop import views

urlpatterns = [
    path("", views.page, name="page"),
    path("api/<int:item>/", views.item, name="item"),
    path("form/", views.form),
    path("fails/", views.fails),
]
""",
    "shop/views.py": """\
import json

from django.http import JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt

def page(request):
    return render(request, "page.html", {"name": request.GET.get("name", "?")})

@csrf_exempt
def item(request, item):
    body = json.loads(request.body) if request.body else None
    return JsonResponse({"item": item, "method": request.method, "body": body, "at": request.build_absolute_uri()})

def form(request):
    return redirect("item", item=7)

def fails(request):
    raise LookupError("no such model")
""",
    "shop/templates/page.html": "<p>Hello {{ name }}</p><a href=\"{% url 'item' item=3 %}\">three</a>\n",
}
ENTRY = """\
import os

from django.core.{kind} import get_{kind}_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

application = get_{kind}_application()
"""


@pytest.fixture(scope="module", params=["wsgi", "asgi"])
def django(request: pytest.FixtureRequest, platform: Platform) -> Function:
    """A project as `startproject` lays it out; which of its two applications answers is said."""
    files = PROJECT | {f"shop/{kind}.py": ENTRY.format(kind=kind) for kind in ("wsgi", "asgi")}
    name, manifest = f"django-{request.param}", {"handler": f"shop.{request.param}.application"}
    place = folder(platform.work / "code" / name, files | {"requirements.txt": DJANGO}, manifest)
    function = platform.deploy(place, name)
    handler = function.status()["card"]["handler"]
    assert (handler["module"], handler["function"], handler["interface"]) == (
        f"shop.{request.param}",
        "application",
        request.param,
    )
    return function


def test_a_django_project_answers_with_json_and_templates(django):
    answer = ask(django, "POST", "/api/3/", json={"a": "é"})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["item"], said["method"], said["body"]) == (3, "POST", {"a": "é"})
    assert said["at"] == f"{django.platform.url}{django.path}/api/3/"
    page = ask(django, "GET", "/?name=%3Cb%3E")
    assert page.text == f'<p>Hello &lt;b&gt;</p><a href="{django.path}/api/3/">three</a>\n'


def test_djangos_redirects_and_refusals_know_the_prefix(django):
    assert ask(django, "GET", "/form/").headers["location"] == f"{django.path}/api/7/"
    answer = ask(django, "GET", "/api/3")
    assert (answer.status_code, answer.headers["location"]) == (301, f"{django.path}/api/3/")
    assert ask(django, "GET", "/nothing/").status_code == 404
    assert ask(django, "POST", "/form/").status_code == 403, "a form without its token"


def test_an_error_of_a_django_view_is_its_500_and_in_the_log(django):
    answer = ask(django, "GET", "/fails/")
    assert answer.status_code == 500
    eventually(lambda: lines(django, "LookupError: no such model"), what="the trace is in the log")


# -- Gradio ----

DEMO = """\
import gradio as gr

def greet(name):
    return f"Hello {name}!"

def count(to):
    for number in range(int(to)):
        yield number

def fails(name):
    raise gr.Error(f"no {name} here")

with gr.Blocks() as demo:
    name, greeting, number = gr.Textbox(), gr.Textbox(), gr.Number()
    name.submit(greet, name, greeting, api_name="greet")
    number.submit(count, number, number, api_name="count")
    name.change(fails, name, greeting, api_name="fails")
"""
MOUNTED = """
from fastapi import FastAPI
app = FastAPI()

@app.get("/health")
def health():
    return "well"

app = gr.mount_gradio_app(app, demo, path="/")

if __name__ == "__main__":
    demo.launch()
"""


@pytest.fixture(scope="module")
def gradio(code: Callable[..., Function]) -> Function:
    """A demo that is mounted, as Gradio's documentation shows it."""
    return code("gradio-mounted", DEMO + MOUNTED, GRADIO)


def test_a_mounted_demo_shows_its_page_below_its_functions_path(gradio):
    page = ask(gradio, "GET", "/")
    assert page.status_code == 200 and f'"root":"{gradio.platform.url}{gradio.path}"' in page.text
    assert ask(gradio, "GET", "/theme.css").headers["content-type"].startswith("text/css")
    assert "/greet" in ask(gradio, "GET", "/gradio_api/info").json()["named_endpoints"]
    assert ask(gradio, "GET", "/health").json() == "well"


def test_gradios_own_client_is_answered(gradio):
    """Through its queue: streams that end come whole, a generator's with all that it made, an error with its words."""
    script = """\
import sys
from gradio_client import Client
client = Client(sys.argv[1], verbose=False)
print(client.predict("é", api_name="/greet"))
job = client.submit(3, api_name="/count")
job.result()
print(job.outputs())
try:
    client.predict("model", api_name="/fails")
except Exception as error:
    print(error)
"""
    layer = gradio.status()["card"]["handler"]["packages"]["sha256"]
    env = os.environ | {"PYTHONPATH": str(gradio.platform.data / "layers" / layer), "NO_PROXY": "*"}
    command = [sys.executable, "-c", script, f"{gradio.platform.url}{gradio.path}"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    greeting, counted, error = done.stdout.splitlines()
    assert (greeting, counted) == ("Hello é!", "[0, 1, 2]")
    assert "no model here" in error


def test_a_demo_that_is_not_mounted_is_refused_with_what_to_do(platform, tmp_path):
    """It would serve itself, with the settings of launch(); and it can be called, but is no application."""
    files = {"app.py": DEMO + "demo.launch()\n", "requirements.txt": GRADIO}
    said = platform.refused(folder(tmp_path / "demo", files))
    assert "app.py, line 1: it imports gradio" in said and "gradio.mount_gradio_app" in said
    named = {"handler": "app.demo", "python": {"interface": "asgi"}}
    files["app.py"] = DEMO
    said = platform.refused(folder(tmp_path / "demo", files, named))
    assert "app:demo is Gradio's Blocks" in said and "mount_gradio_app(fastapi.FastAPI(), demo" in said
