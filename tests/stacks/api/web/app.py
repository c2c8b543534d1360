"""Keeps items in Postgres."""

import database
import probe
from flask import Flask, request

VERSION = "v1"
app = Flask(__name__)
probe.add_pages(app, VERSION)


@app.get("/")
def count():
    return f"{VERSION}: {database.run('SELECT count(*) FROM items')[0][0]} items\n"


@app.post("/echo")
def add():
    database.run("INSERT INTO items (body) VALUES (%s)", request.get_data(as_text=True)[:20])
    return request.get_data()
