"""The user's code: where it lies, how it is imported, and what to say where it cannot be."""

import os
import sys

from modelet_worker.fault import Fault, stack, user_frames, words
from modelet_worker.imports import imported

#: Names of functions that are listed where the one that was asked for is not there.
LISTED = 10


def prepare_paths(folder, packages):
    """The handler's folder is where code runs and is looked for first; packages stand behind the standard library, as
    installed ones do, with what their `.pth` files say. Processes of Python that the handler starts find both too."""
    os.chdir(folder)
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([folder, *packages, *([inherited] if inherited else [])])
    sys.path.insert(0, folder)
    add_packages(packages)


def add_packages(packages):
    """Folders of packages, each once."""
    import site

    for one in packages:
        if one not in sys.path:
            site.addsitedir(one)
    site.setquit()


def find(module_name, name):
    """A module of the user's and what it calls `name`."""
    module = load(module_name)
    if not hasattr(module, name):
        raise missing(module, module_name, name)
    return module, getattr(module, name)


def load(name):
    """Imports the user's module: `app`, `package.app` or `folder/app`."""
    return importing(name, lambda: imported(name.replace("/", ".")))


def importing(name, act):
    """What `act` makes of the user's module; what goes wrong there is told in words."""
    if name.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {name} as a handler module")
    try:
        return act()
    except SyntaxError as error:
        text = f"Syntax error in module '{name}': {error}"
        raise Fault(
            "Runtime.UserCodeSyntaxError", text, [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        ) from None
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", import_words(name, error), stack(error.__traceback__)) from None
    except SystemExit as error:
        where = place(error)
        text = f"module '{name}' ended Python while it was imported{where}: SystemExit({error.code!r})"
        advice = 'next: put what is for the command line alone under `if __name__ == "__main__":`'
        raise Fault("Runtime.ExitError", f"{text}\n{advice}", stack(error.__traceback__)) from None


def try_imports(wanted):
    """Looks for what the code imports later, in the functions that calls come to: `[name, place]` each."""
    from importlib.util import find_spec

    for name, where in wanted:
        if name not in sys.modules and find_spec(name) is None:
            text = f"No module named '{name}' ({where})\nnext: add the package that has `{name}` to requirements.txt, and deploy again"
            raise Fault("Runtime.ImportModuleError", text)


def import_words(name, error):
    """Why a module could not be imported, where, and what to do."""
    text = f"Unable to import module '{name}': {words(error)}{place(error)}"
    wanted = (getattr(error, "name", None) or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or not wanted:
        return text
    if wanted == name.replace("/", ".").partition(".")[0]:
        found = sorted(file[:-3] for file in os.listdir(".") if file.endswith(".py"))
        return f"{text}\nnext: name a module of {os.getcwd()}: {', '.join(found[:LISTED]) or 'there is none'}"
    return f"{text}\nnext: add the package that has `{wanted}` to requirements.txt, and deploy again"


def place(error):
    """The last line of the user's code that led to an error: ` (app.py:3)`, or nothing."""
    frames = user_frames(error.__traceback__)
    here = [one for one in frames if one.filename.startswith(os.getcwd() + os.sep)] or frames
    return f" ({os.path.relpath(here[-1].filename)}:{here[-1].lineno})" if here else ""


def missing(module, module_name, name):
    """The failure that a module does not have what was asked for."""
    functions = [
        key
        for key, one in vars(module).items()
        if callable(one) and getattr(one, "__module__", None) == module.__name__
    ]
    advice = f"it has {', '.join(functions[:LISTED])}" if functions else "it has no functions"
    text = f"Handler '{name}' missing on module '{module_name}'"
    return Fault(
        "Runtime.HandlerNotFound",
        f"{text} ({getattr(module, '__file__', 'built in')})\nnext: {advice}; name one of these",
    )


def parameters(function):
    """How many positional arguments a function of Python's takes, `(least, most)`; None where that cannot be told at a
    glance."""
    bound = hasattr(function, "__self__")
    code = getattr(function, "__code__", None) or getattr(getattr(function, "__func__", None), "__code__", None)
    if code is None or hasattr(function, "__wrapped__"):
        return None
    most = code.co_argcount - bound
    least = most - len(function.__defaults__ or ())
    return least, (sys.maxsize if code.co_flags & 0x04 else most)


def is_coroutine(function):
    """Whether calling it gives something to await: `async def`, with `yield` or without."""
    code = getattr(function, "__code__", None)
    return bool(code and code.co_flags & (0x80 | 0x200))
