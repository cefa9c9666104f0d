"""The settings of a small Django project whose database is behind the proxy."""

import login

SECRET_KEY = "only for tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "shop.catalogue",
]

tls = {"ssl_mode": "VERIFY_IDENTITY", "ssl": {"ca": login.AUTHORITY}}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.mysql",
        "HOST": login.HOST,
        "PORT": login.PORT,
        "USER": login.USER,
        "PASSWORD": login.PASSWORD,
        "NAME": login.DATABASE,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "charset": "utf8mb4",
            "compress": login.COMPRESS,
            "isolation_level": "repeatable read",
            "init_command": "set sql_mode = 'STRICT_TRANS_TABLES'",
            **(tls if login.AUTHORITY else {"ssl_mode": "DISABLED"}),
        },
    }
}
