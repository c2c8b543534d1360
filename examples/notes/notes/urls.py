"""Three addresses: read and write notes, and say whether the app works."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from notes.models import Note


def notes(request: HttpRequest) -> HttpResponse:
    """GET lists the notes, POST adds the body as a note."""
    if request.method == "POST":
        Note.objects.create(text=request.body.decode())
    lines = [f"{note.text} ({note.words} words)\n" for note in Note.objects.order_by("id")]
    return HttpResponse("".join(lines), content_type="text/plain")


def healthz(request: HttpRequest) -> HttpResponse:
    """Fails without a database."""
    Note.objects.exists()
    return HttpResponse("ok\n", content_type="text/plain")


urlpatterns = [path("", notes), path("healthz", healthz)]
