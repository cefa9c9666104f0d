"""What the shop sells, and to whom."""

from django.contrib.auth.models import User
from django.db import models


class Article(models.Model):
    name = models.CharField(max_length=100, unique=True)
    price = models.DecimalField(max_digits=12, decimal_places=4)
    stock = models.PositiveIntegerField(default=0)
    features = models.JSONField(default=dict)
    picture = models.BinaryField(null=True)
    added = models.DateTimeField()
    code = models.CharField(max_length=20, unique=True)

    class Meta:
        indexes = [models.Index(fields=["price"], name="article_by_price")]
        constraints = [
            models.CheckConstraint(condition=models.Q(price__gte=0), name="no_negative_price")
        ]


class Order(models.Model):
    customer = models.ForeignKey(User, on_delete=models.CASCADE, related_name="orders")
    articles = models.ManyToManyField(Article, through="Line")
    at = models.DateTimeField(auto_now_add=True)


class Line(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    article = models.ForeignKey(Article, on_delete=models.PROTECT)
    amount = models.PositiveSmallIntegerField(default=1)
