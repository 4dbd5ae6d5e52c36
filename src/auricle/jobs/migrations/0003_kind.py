from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0002_address"),
    ]

    operations = [
        migrations.AlterField(
            model_name="worker",
            name="address",
            field=models.CharField(
                db_default="",
                help_text="Where it answers calls at once, on its machine.",
                max_length=200,
            ),
        ),
        migrations.AddField(
            model_name="worker",
            name="kind",
            field=models.CharField(
                db_default="speech", help_text="What it does: speech or text.", max_length=10
            ),
        ),
    ]
