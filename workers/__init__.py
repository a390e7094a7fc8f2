"""Celery tasks: they say when, never what."""
