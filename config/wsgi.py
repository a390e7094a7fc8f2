"""The door for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

import config.celery
import config.urls  # noqa: F401 -- all doors are there before anybody knocks, also while this process is being stopped

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
