"""The settings of the two other packages: their own database, nothing of ours."""

import os

from psycopg.conninfo import conninfo_to_dict

_address = conninfo_to_dict(os.environ["RIVALS_DSN"])

SECRET_KEY = "only for measuring"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "mptt",
    "dj_wallet",
    "hordak",
]
CURRENCIES = ["EUR"]
DEFAULT_CURRENCY = "EUR"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _address["dbname"],
        "HOST": _address["host"],
        "USER": _address["user"],
    }
}
