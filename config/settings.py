"""Django's settings: every value from the environment is read by `env`, and documented in docs/settings.md."""

from __future__ import annotations

from pathlib import Path

from django.utils.csp import CSP

from config import env, logs

BASE_DIR = Path(__file__).resolve().parent.parent
CUSTOS_HOME = env.home()
CUSTOS_PORT = env.number("CUSTOS_PORT", 8000, 1, 65535)
CUSTOS_PUBLIC_URL = env.public_url(f"http://127.0.0.1:{CUSTOS_PORT}")
CUSTOS_STORE = env.text("CUSTOS_STORE", f"file:{CUSTOS_HOME / 'store'}")
CUSTOS_RETENTION_DAYS = env.number("CUSTOS_RETENTION_DAYS", 3653, 1, 36_500)
CUSTOS_FIXITY_DAYS = env.number("CUSTOS_FIXITY_DAYS", 30, 1, 3650)
CUSTOS_READER_MIB = env.number("CUSTOS_READER_MIB", 4096, 1024, 1 << 20)
CUSTOS_FIXITY_MIB_S = env.number("CUSTOS_FIXITY_MIB_S", 50, 0, 100_000)
CUSTOS_ORIGIN = env.origin(f"localhost:{CUSTOS_PORT}/log")
CUSTOS_WITNESSES = env.witnesses()
CUSTOS_TSA = env.authorities()
CUSTOS_TSA_MINUTES = env.number("CUSTOS_TSA_MINUTES", 10, 0, 60)
CUSTOS_SIGNER = env.signer()
CUSTOS_SOFTWARE = "custos/0.1.0"

SECRET_KEY = env.text("CUSTOS_SECRET_KEY", "") or env.secret(CUSTOS_HOME / "keys" / "django-secret")
DEBUG = env.flag("CUSTOS_DEBUG")
ALLOWED_HOSTS = env.text("CUSTOS_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
SECURE = CUSTOS_PUBLIC_URL.startswith("https://")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "pgtrigger",
    "django_htmx",
    "django_prometheus",
    "django_structlog",
    "archive",
    "config",
]
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "archive.web.errors.with_words",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "archive" / "web" / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
AUTH_USER_MODEL = "archive.User"
LOGIN_URL = "/sign-in/"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CUSTOS_CONNINFO = env.conninfo(CUSTOS_HOME)
DATABASES = {"default": env.database(CUSTOS_CONNINFO)}

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "archive" / "web" / "static"
WHITENOISE_USE_FINDERS = True  # pages are few and small; no build step between a change and its being served

SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "base-uri": [CSP.NONE],
}
SECURE_REFERRER_POLICY = "same-origin"  # a one-time link must not leak; without any, browsers send Origin: null
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "archive.web.errors.not_from_a_page"
CSRF_TRUSTED_ORIGINS = [CUSTOS_PUBLIC_URL]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "archive.api.authentication.BearerToken",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["archive.api.queries.BoundedJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "archive.api.queries.Pages",
    "PAGE_SIZE": 100,
    "EXCEPTION_HANDLER": "archive.api.problems.problem_response",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Custos",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
}

CELERY_BROKER_URL = env.broker("pgmq://")
DJANGO_STRUCTLOG_CELERY_ENABLED = True
PROMETHEUS_EXPORT_MIGRATIONS = False

LOGGING = logs.LOGGING
logs.configure_structlog()
