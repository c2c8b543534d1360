"""Takes mails out of the queue, and ends as it is asked to."""

import os
import signal

import pika

link = pika.BlockingConnection(pika.URLParameters(os.environ["BROKER"]))
channel = link.channel()
channel.queue_declare("mails", durable=True)
signal.signal(signal.SIGTERM, lambda *_: link.add_callback_threadsafe(channel.stop_consuming))
channel.basic_consume("mails", lambda channel, method, *_: channel.basic_ack(method.delivery_tag))
channel.start_consuming()
