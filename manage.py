#!/usr/bin/env python
"""Runs the product's commands: ``python manage.py help`` lists them."""

import os
import signal
import sys

PYTHON_MIN = (3, 11)


def main() -> int:
    if sys.version_info < PYTHON_MIN:
        found = ".".join(map(str, sys.version_info[:2]))
        print(f"Tallystick needs Python 3.11 or newer; this is {found}.", file=sys.stderr)
        return 2
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # Until there is something to clean up, Ctrl-C just ends us: raised in the middle of an import
    # it is a traceback, or swallowed by somebody's bare except.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from config.launch import run

    return run(sys.argv)


if __name__ == "__main__":
    sys.exit(main())
