"""The control plane as a process: one per `MIDAIR_HOME`. Puts store, runtimes, routers, engine and API together.

It can be killed at any moment: replicas and routers go on, and the next one adopts them.
"""
