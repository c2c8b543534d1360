#!/bin/sh
# Brings the database up to date before the app is served.
python migrate.py || exit 1
gunicorn --bind :8000 --threads 4 app:app
