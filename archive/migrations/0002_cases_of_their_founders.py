"""A case's name becomes unique among its founder's cases only, and a reconstruction says what it is."""

from django.db import migrations, models
import django.db.models.deletion


def name_founders(apps, schema_editor):
    """The founder is who was its first member; what `custos demo` filed is known by its name."""
    Case, Membership = apps.get_model("archive", "Case"), apps.get_model("archive", "Membership")
    for case in Case.objects.all():
        case.founder_id = Membership.objects.filter(case=case).order_by("joined", "id").first().user_id
        case.reconstruction = case.slug.startswith("founding-case-reconstruction")
        case.save(update_fields=["founder", "reconstruction"])


class Migration(migrations.Migration):
    dependencies = [("archive", "0001_initial")]

    operations = [
        migrations.AlterModelOptions(name="case", options={"ordering": ("slug", "created")}),
        migrations.AddField("case", "reconstruction", models.BooleanField(default=False)),
        migrations.AddField(
            "case",
            "founder",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="founded", to="archive.user"
            ),
        ),
        migrations.RunPython(name_founders, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            "case",
            "founder",
            models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="founded", to="archive.user"
            ),
        ),
        migrations.AlterField("case", "slug", models.SlugField(max_length=80)),
        migrations.AddConstraint(
            "case", models.UniqueConstraint(fields=("founder", "slug"), name="one_case_name_per_founder")
        ),
    ]
