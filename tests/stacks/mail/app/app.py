"""Puts mails into a queue."""

import os
import threading

import pika
import probe
from flask import Flask, request

VERSION = "v1"
app = Flask(__name__)
probe.add_pages(app, VERSION)
mine = threading.local()


def channel():
    link = getattr(mine, "link", None)
    try:
        if link is not None:
            link.process_data_events(0)
    except pika.exceptions.AMQPError:
        link = None
    if link is None:
        mine.link = pika.BlockingConnection(pika.URLParameters(os.environ["BROKER"]))
        mine.channel = mine.link.channel()
        mine.channel.queue_declare("mails", durable=True)
    return mine.channel


@app.get("/")
def hello():
    return f"{VERSION} {os.environ['COLOUR']}\n"


@app.post("/echo")
def send():
    channel().basic_publish("", "mails", request.get_data())
    return request.get_data()
