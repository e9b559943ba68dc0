"""Celery's queues as tables of this database, with the SQL that ships in the pgmq wheel."""

from django.db import migrations
from pgmq.install import get_embedded_install_sql

QUEUES = ("live", "backfill", "maintenance")


def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'pgmq'")
        if cursor.fetchone() is None:
            # The server itself may carry the extension; then it is the one to use.
            cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pgmq'")
            available = cursor.fetchone() is not None
            cursor.execute("CREATE EXTENSION pgmq" if available else get_embedded_install_sql())
        for queue in QUEUES:
            cursor.execute("SELECT pgmq.create(%s)", [queue])


def uninstall(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for queue in QUEUES:
            cursor.execute("SELECT pgmq.drop_queue(%s)", [queue])


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [migrations.RunPython(install, uninstall)]
