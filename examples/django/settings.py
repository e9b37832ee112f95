"""Settings of the site. What differs between machines stands in the environment."""

from __future__ import annotations

import os

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "only-for-trying-it-out")
DEBUG = os.environ.get("DEBUG") == "1"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["episodes"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DATABASE", "episodes.sqlite"),
    }
}

BUCKET = os.environ.get("S3_BUCKET", "podcast")
HOOK_URL = os.environ.get("HOOK_URL", "http://127.0.0.1:8000/hooks/longtake")
HOOK_SECRET = os.environ.get("HOOK_SECRET", "")
