from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("archive", "0005_timestamps")]

    operations = [
        migrations.AddField(model_name="submission", name="arrived", field=models.JSONField(null=True)),
    ]
