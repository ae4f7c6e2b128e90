"""Run the measurements: all, those that are named (`python -m bench exi session`), or one with its options (`bench scale --cars 100`)."""

import importlib
import pkgutil
import platform
import runpy
import sys

import bench


def main(named: list[str]) -> int:
    """Run each module's `run()`, or one as the command that it is; an unknown name is an error that lists the known ones."""
    known = sorted(m.name for m in pkgutil.iter_modules(bench.__path__) if not m.name.startswith("_"))
    if named[:1] and named[0] in known and named[1:2] and named[1].startswith("-"):
        sys.argv = [f"bench {named[0]}", *named[1:]]
        runpy.run_module(f"bench.{named[0]}", run_name="__main__")
        return 0
    unknown = set(named) - set(known)
    if unknown:
        print(f"no such measurement: {', '.join(sorted(unknown))}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    print(f"Python {platform.python_version()} on {platform.machine()}; compare ratios, not the last digit\n")
    for name in named or known:
        module = importlib.import_module(f"bench.{name}")
        print(f"== {name}: {(module.__doc__ or '').splitlines()[0]}")
        module.run()
        print(flush=True)
    return 0


sys.exit(main(sys.argv[1:]))
