"""What a Django project does, from its migrations on; says "done" at the end."""

import datetime
import os
from decimal import Decimal

import django
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, F, Sum

os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from shop.catalogue.models import Article, Line, Order  # noqa: E402

ADDED = datetime.datetime(2024, 2, 29, 23, 59, 59, 123456, datetime.timezone.utc)
PICTURE = bytes(range(256)) * 10


def migrations():
    call_command("migrate", verbosity=0)
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
    call_command("flush", interactive=False, verbosity=0)
    call_command("migrate", "catalogue", "0001", verbosity=0)
    call_command("migrate", verbosity=0)
    codes = Article.objects.order_by("name").values_list("name", "code")
    assert [(name, code[:2]) for name, code in codes] == [("chair", "A-"), ("table", "A-")]
    call_command("flush", interactive=False, verbosity=0)
    assert "catalogue_article" in connection.introspection.table_names()


def objects():
    Article.objects.bulk_create(
        Article(
            name=f"Zoë's 🌊 {number}",
            code=f"C-{number}",
            price=Decimal(number) / 8,
            features={"ä": [number, None, True]},
            picture=PICTURE if number == 0 else None,
            added=ADDED,
        )
        for number in range(2000)
    )
    first = Article.objects.get(code="C-0")
    assert (first.name, bytes(first.picture), first.added) == ("Zoë's 🌊 0", PICTURE, ADDED)
    assert first.features == {"ä": [0, None, True]}
    assert Article.objects.filter(features__ä__0=7).get().code == "C-7"
    total = Article.objects.aggregate(total=Sum("price"))["total"]
    assert total == Decimal(1999 * 2000 // 2) / 8, total
    user = User.objects.create_user("zoë", password="secret")
    order = Order.objects.create(customer=user)
    order.articles.add(*Article.objects.order_by("id")[:3], through_defaults={"amount": 2})
    user = User.objects.prefetch_related("orders__articles").get()
    assert len(user.orders.all()[0].articles.all()) == 3
    assert Line.objects.select_related("order__customer").first().order.customer == user
    counted = Order.objects.annotate(lines=Count("line")).values_list("lines", flat=True)
    assert list(counted) == [3]
    changed, created = Article.objects.update_or_create(code="C-1", defaults={"stock": 5})
    assert (changed.stock, created) == (5, False)


def iteration():
    ids = [article.id for article in Article.objects.order_by("id").iterator(chunk_size=100)]
    assert len(ids) == 2000 and ids == sorted(ids)
    # An iteration that is given up leaves nothing behind on its connection.
    for article in Article.objects.iterator(chunk_size=10):
        break
    assert Article.objects.count() == 2000


def transactions():
    try:
        with transaction.atomic():
            Article.objects.update(stock=F("stock") + 100)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert Article.objects.filter(stock__gte=100).count() == 0
    done = []
    with transaction.atomic():
        article = Article.objects.select_for_update().get(code="C-2")
        try:
            with transaction.atomic():
                article.stock = 1
                article.save()
                Article.objects.create(code="C-1", name="twice", price=1, added=ADDED)
        except IntegrityError as error:
            assert error.args[0] == 1062, error
        else:
            raise AssertionError("two articles have one code")
        Article.objects.filter(code="C-3").update(stock=3)
        transaction.on_commit(lambda: done.append("committed"))
    assert done == ["committed"]
    stocks = Article.objects.filter(code__in=["C-2", "C-3"]).order_by("code")
    assert [article.stock for article in stocks] == [0, 3]
    try:
        Article.objects.filter(code="C-4").update(price=-1)
    except (IntegrityError, django.db.OperationalError) as error:
        # MySQL and MariaDB number the breach of a check differently.
        assert error.args[0] in (3819, 4025), error
    else:
        raise AssertionError("a price is negative")


def raw_statements():
    [found] = Article.objects.raw("select * from catalogue_article where code = %s", ["C-5"])
    assert found.price == Decimal("0.6250")
    with connection.cursor() as cursor:
        cursor.execute("select count(*), max(price) from catalogue_article where id > %s", [0])
        assert cursor.fetchone() == (2000, Decimal("249.875"))


def reconnection():
    with connection.cursor() as cursor:
        cursor.execute("set @mine = 7")
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("select @mine, @@session.sql_mode")
        assert cursor.fetchone() == (None, "STRICT_TRANS_TABLES")


migrations()
objects()
iteration()
transactions()
raw_statements()
reconnection()
print("done")
