import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

ID = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    initial = True

    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="Article",
            fields=[
                ("id", ID),
                ("name", models.CharField(max_length=100, unique=True)),
                ("price", models.DecimalField(decimal_places=4, max_digits=12)),
                ("stock", models.PositiveIntegerField(default=0)),
                ("features", models.JSONField(default=dict)),
                ("picture", models.BinaryField(null=True)),
                ("added", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("price__gte", 0)), name="no_negative_price"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Line",
            fields=[
                ("id", ID),
                ("amount", models.PositiveSmallIntegerField(default=1)),
                (
                    "article",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="catalogue.article"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", ID),
                ("at", models.DateTimeField(auto_now_add=True)),
                (
                    "articles",
                    models.ManyToManyField(through="catalogue.Line", to="catalogue.article"),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="orders",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="line",
            name="order",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, to="catalogue.order"
            ),
        ),
    ]
