"""Several of manage.py's commands, one after another in one process: to load the archive takes a second of a core.

`python -m config.embedded.commands make_keys , check_ledger --start`
"""

from __future__ import annotations

import importlib
import os
import sys
from itertools import groupby

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

SEPARATOR = ","


def main(words: list[str]) -> None:
    """The first that fails is named and ends it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        importlib.import_module("config.celery")  # so that a nudge finds the broker
        django.setup()
    except ImproperlyConfigured as refused:
        sys.exit(str(refused))
    for is_separator, command in groupby(words, SEPARATOR.__eq__):
        if not is_separator:
            _call(*command)


def _call(name: str, *arguments: str) -> None:
    try:
        call_command(name, *arguments)  # which leaves the checks out, that would load every door
    except CommandError as error:
        sys.exit(f"manage.py {name}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
