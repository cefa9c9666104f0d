"""As a live project adds a column that must be unique: empty, filled, then tightened."""

from django.db import migrations, models

FIRST = ["chair", "table"]


def fill(apps, schema_editor):
    articles = apps.get_model("catalogue", "Article").objects
    for name in FIRST:
        articles.create(name=name, price=1, added="2024-01-01T00:00:00Z")
    for article in articles.iterator():
        article.code = f"A-{article.id}"
        article.save(update_fields=["code"])


def empty(apps, schema_editor):
    apps.get_model("catalogue", "Article").objects.filter(name__in=FIRST).delete()


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0001_initial")]

    operations = [
        migrations.AddField("Article", "code", models.CharField(max_length=20, null=True)),
        migrations.RunPython(fill, empty),
        migrations.AlterField("Article", "code", models.CharField(max_length=20, unique=True)),
        migrations.AddIndex("Article", models.Index(fields=["price"], name="article_by_price")),
    ]
