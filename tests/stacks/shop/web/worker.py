"""Packs the orders that wait in the queue."""

import os

import database
import redis

queue = redis.Redis.from_url(os.environ["REDIS_URL"])
while True:
    _, number = queue.blpop("orders")
    database.run("UPDATE orders SET state = 'packed' WHERE number = %s", int(number))
