"""How long and how much the router puts up with."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Spans in seconds unless the name says otherwise."""

    head_s: float = 10.0  # from the first byte of a head to its last
    idle_s: float = 75.0  # a client's connection between requests
    body_s: float = 60.0  # without a byte of a request's body
    answer_s: float = 300.0  # to the first byte of an answer
    stall_s: float = 60.0  # without a byte taken by the receiver
    linger_s: float = 2.0  # for a refused client to read why
    connect_s: float = 5.0
    pooled_s: float = 1.0  # an idle connection to a replica: below servers' own limits, which would race with us
    warm_s: float = 0.005  # a pooled connection takes what may not be sent twice: no server closes one so soon
    park_s: float = 5.0  # waiting for a replica when every one has just refused a connection
    sweep_s: float = 0.5  # between looks at the clock
    stop_s: float = 5.0  # for requests to end when the router is told to stop
    buffer_bytes: int = 65536  # read ahead of a client, and kept of a request so that it may be repeated
    pool_max: int = 512  # idle connections to one replica
