"""The door for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

import config.celery  # noqa: F401 -- so that a nudge finds the broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
