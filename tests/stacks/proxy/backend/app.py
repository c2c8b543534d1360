"""Counts its visits in redis."""

import probe
import redis
from flask import Flask, request

VERSION = "v1"
app = Flask(__name__)
cache = redis.Redis(host="redis", port=6379)
probe.add_pages(app, VERSION)


@app.get("/")
def visit():
    return f"{VERSION}: I have been seen {cache.incr('hits')} times.\n"


@app.post("/echo")
def echo():
    return request.get_data()
