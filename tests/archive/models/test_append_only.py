"""PostgreSQL itself refuses to change custody and ledger rows, whoever asks."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from psycopg import sql

from archive.models import Blob, BlobMove, Checkpoint, Cosignature, Leaf, Segments, TileRoot, Timestamp, UnitTree
from archive.models.append_only import is_append_only
from archive.services import access, intake, keys, sealing

pytestmark = pytest.mark.django_db
TABLES = sorted(model._meta.db_table for model in apps.get_models() if is_append_only(model))


def fill() -> None:
    """At least one row everywhere, so that row triggers have something to refuse."""
    who = access.principal_of(access.ensure_user(user_name="ann"))
    row = intake.begin_submission(principal=who, case_reference="a", length=1)
    intake.append_bytes(principal=who, submission_id=row.pk, offset=0, chunks=[b"x"])
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    keys.introduce_keys()
    keys.replace_keys(purpose="dsse", event_type="key rotation", reason="a test")
    BlobMove.objects.create(blob=row.blob or Blob.objects.get(), locator="elsewhere")
    UnitTree.objects.create(blob=row.blob or Blob.objects.get(), kind="line", key=bytes(32), count=1, root=bytes(32))
    Segments.objects.create(blob=row.blob or Blob.objects.get(), size=1, digests=bytes(32), event=row.event)
    TileRoot.objects.create(level=1, index=0, hash=bytes(32))
    checkpoint = Checkpoint.objects.latest("size")
    Cosignature.objects.create(checkpoint=checkpoint, witness="w", line="x")
    Timestamp.objects.create(checkpoint=checkpoint, url="u", authority="a", response=b"x", time=checkpoint.signed)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else PostgreSQL refuses TRUNCATE for another reason
    assert Blob.objects.exists() and Leaf.objects.exists() and Checkpoint.objects.exists()


def refused(statement: sql.Composed) -> str:
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    return str(caught.value)


def test_all_of_custody_and_ledger_is_append_only() -> None:
    assert TABLES == [
        "archive_blob", "archive_blobmove", "archive_checkpoint", "archive_cosignature", "archive_custodyevent",
        "archive_custodyobject", "archive_keyend", "archive_keyversion", "archive_leaf", "archive_segments",
        "archive_signing", "archive_tileroot", "archive_timestamp", "archive_unittree",
    ]  # fmt: skip


COLUMNS = {
    "archive_cosignature": "line",
    "archive_timestamp": "authority", "archive_unittree": "root",
    "archive_keyend": "last", "archive_keyversion": "public", "archive_signing": "message",
    "archive_blob": "size", "archive_blobmove": "locator",
    "archive_checkpoint": "note", "archive_custodyevent": "text",
    "archive_custodyobject": "role", "archive_leaf": "hash", "archive_tileroot": "hash", "archive_segments": "digests",
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_the_owner_and_superuser_is_refused(table: str) -> None:
    fill()
    name, column = sql.Identifier(table), sql.Identifier(COLUMNS[table])
    assert "never changed: UPDATE" in refused(sql.SQL("UPDATE {} SET {c} = {c}").format(name, c=column))
    assert "never changed: DELETE" in refused(sql.SQL("DELETE FROM {}").format(name))
    assert "never changed: TRUNCATE" in refused(sql.SQL("TRUNCATE {} CASCADE").format(name))


@pytest.mark.parametrize("table", TABLES)
def test_the_applications_role_has_not_even_the_right(table: str) -> None:
    name, column = sql.Identifier(table), sql.Identifier(COLUMNS[table])
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE test_application")
        call_command("grant_application_role", "test_application")
        cursor.execute("SET ROLE test_application")
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(name))
        for statement in ("UPDATE {} SET {c} = {c}", "DELETE FROM {}", "TRUNCATE {}"):
            assert "permission denied" in refused(sql.SQL(statement).format(name, c=column)), statement
        for statement in ("DROP TABLE {}", "ALTER TABLE {} DISABLE TRIGGER ALL"):
            assert "must be owner" in refused(sql.SQL(statement).format(name)), statement
        cursor.execute("RESET ROLE")
        cursor.execute("DROP OWNED BY test_application; DROP ROLE test_application")


@pytest.mark.parametrize("table", TABLES)
def test_a_role_that_was_given_all_rights_by_mistake_is_refused_by_the_triggers(table: str) -> None:
    fill()
    name, column = sql.Identifier(table), sql.Identifier(COLUMNS[table])
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE test_application")
        call_command("grant_application_role", "test_application")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO test_application")
        cursor.execute("SET ROLE test_application")
        for act in ("UPDATE {} SET {c} = {c}", "DELETE FROM {}", "TRUNCATE {} CASCADE"):
            assert f"never changed: {act.split()[0]}" in refused(sql.SQL(act).format(name, c=column))
        cursor.execute("RESET ROLE")
        cursor.execute("DROP OWNED BY test_application; DROP ROLE test_application")
