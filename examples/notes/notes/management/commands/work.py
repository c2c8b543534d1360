"""The worker: counts the words of new notes until it is told to stop."""

import signal
import threading

from django.core.management.base import BaseCommand

from notes.models import Note


class Command(BaseCommand):
    """`manage.py work`."""

    def handle(self, *args: object, **options: object) -> None:
        """Finish the note at hand when the stop signal comes."""
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        while not stop.wait(0.2):
            for note in Note.objects.filter(words=None):
                note.words = len(note.text.split())
                note.save()
