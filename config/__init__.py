"""Settings, URLs, the Celery app, and the embedded installation: which parts this one runs with."""
