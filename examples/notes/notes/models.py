"""A note, and whether the worker has seen it."""

from django.db import models


class Note(models.Model):
    """A line of text."""

    text = models.TextField()
    words = models.IntegerField(null=True)
