"""Takes orders, counts visits, and hands work to a worker."""

import os

import database
import probe
import redis
from flask import Flask, request

VERSION = "v1"

app = Flask(__name__)
cache = redis.Redis.from_url(os.environ["REDIS_URL"])
probe.add_pages(app, VERSION)


@app.get("/")
def visit():
    return f"{VERSION} {os.environ['COLOUR']} visit {cache.incr('visits')}\n"


@app.post("/echo")
def order():
    (number,) = database.run("INSERT INTO orders DEFAULT VALUES RETURNING number")[0]
    cache.rpush("orders", number)
    return request.get_data()


@app.get("/orders")
def orders():
    return {state: count for state, count in database.run("SELECT state, count(*) FROM orders GROUP BY state")}
