"""Keeps posts in MySQL."""

import time

import database
import probe
import pymysql
from flask import Flask, request

VERSION = "v1"
app = Flask(__name__)
probe.add_pages(app, VERSION)
while True:  # the database may need a moment
    try:
        database.run("CREATE TABLE IF NOT EXISTS posts (number INT AUTO_INCREMENT PRIMARY KEY, body TEXT)")
        break
    except pymysql.MySQLError:
        time.sleep(0.3)


@app.get("/")
def count():
    return f"{VERSION}: {database.run('SELECT count(*) FROM posts')[0][0]} posts\n"


@app.post("/echo")
def post():
    database.run("INSERT INTO posts (body) VALUES (%s)", request.get_data(as_text=True)[:20])
    return request.get_data()
