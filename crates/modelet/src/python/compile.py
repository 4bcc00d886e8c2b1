"""Compiles the packages in a folder to bytecode: to the same bytes wherever and whenever that is.

Arguments: the folder, and where it lies for those who run what is in it. What cannot be compiled is left as it is: packages bring files
for other Pythons, and templates. Which constants bytecode marks as shared depends on what else the process holds; so files are compiled
in the order of their names, in parts that each begin in a process like all others, however many processors there are.
"""

import os
import sys

# Nothing of the folder that this was called in.
sys.path.pop(0)
sys.pycache_prefix = None

import importlib.util
import py_compile

PARTS = 16


def sources(folder):
    for place, folders, files in os.walk(folder):
        if place == folder:
            # Programs for a shell do not travel.
            folders[:] = [name for name in folders if name != "bin"]
        for name in files:
            if name.endswith(".py"):
                yield os.path.relpath(os.path.join(place, name), folder)


def compile_all(folder, target, paths):
    for path in paths:
        source = os.path.join(folder, path)
        try:
            py_compile.compile(
                source,
                cfile=importlib.util.cache_from_source(source, optimization=""),
                dfile=target + "/" + path,
                doraise=True,
                optimize=0,
                # Holds whenever its source was written: unpacked elsewhere, it is as good.
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except py_compile.PyCompileError:
            pass


def main(folder, target):
    paths = sorted(sources(folder))
    failed, running = False, 0
    for part in range(PARTS):
        if running == len(os.sched_getaffinity(0)):
            failed |= os.wait()[1] != 0
            running -= 1
        if os.fork() == 0:
            compile_all(folder, target, paths[part::PARTS])
            os._exit(0)
        running += 1
    for _ in range(running):
        failed |= os.wait()[1] != 0
    sys.exit(failed)


main(*sys.argv[1:])
