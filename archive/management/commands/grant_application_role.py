"""Give the application's role what it needs, and no more: on append-only tables it may read and add only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import connection, transaction
from psycopg import sql

from archive.models.append_only import is_append_only

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "To be run by the owner of the tables after migrate."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("role")

    def handle(self, *args: Any, **options: Any) -> None:
        role = sql.Identifier(options["role"])
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role))
            cursor.execute(
                sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}").format(role)
            )
            cursor.execute(sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(role))
            for model in filter(is_append_only, apps.get_models()):
                table = sql.Identifier(model._meta.db_table)  # noqa: SLF001 -- Django's public-by-custom API
                cursor.execute(sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON {} FROM {}").format(table, role))
