"""The demo's Compose file, with the parts that its chapters change."""

from pathlib import Path

import msgspec

APP = Path(__file__).parent / "app" / "app.py"


class Scenery(msgspec.Struct):
    """What the file says at the moment."""

    button: str = "blue"
    label: str = "Press me"
    currency: str = "EUR"
    parallelism: int = 3

    def compose(self, web: int, api: int, ledger: int) -> str:
        """The file's text, for these published ports."""
        return f"""\
name: demo

x-settings: &settings
  ready: {{http: /healthz}}
  drain: {{timeout: 2500ms}}

services:
  web:
    build: ./web
    command: ["python", "app.py", "{self.label}"]
    environment: {{BUTTON: {self.button}}}
    ports: ["127.0.0.1:{web}:8000"]
    deploy:
      replicas: 3
      update_config: {{parallelism: {self.parallelism}, monitor: 700ms}}
    x-midair: *settings

  api:
    build: ./api
    command: python app.py
    environment: {{CURRENCY: {self.currency}}}
    ports: ["127.0.0.1:{api}:8000"]
    deploy:
      replicas: 2
      update_config: {{parallelism: 2, monitor: 700ms}}
    x-midair: *settings

  ledger:                       # must not run twice at the same time
    build: ./ledger
    command: python app.py
    ports: ["127.0.0.1:{ledger}:8000"]
    deploy:
      update_config: {{order: stop-first, monitor: 700ms}}
    x-midair: *settings
"""
