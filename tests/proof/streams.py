"""Requests that are inside a replica at a known moment: streams whose head said which replica answers."""

import re
import socket


class Stream:
    """One long answer that has begun."""

    def __init__(self, port, parts=600):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.sendall(f"GET /stream?parts={parts} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        self.got = b""
        while b"\r\n\r\n" not in self.got:
            self._more()
        self.replica = re.search(rb"X-Replica: (\S+)", self.got)[1].decode()

    def _more(self):
        part = self.socket.recv(65536)
        self.got += part
        return part

    def ends(self):
        """Read to the end. Returns whether the answer was whole."""
        try:
            while self._more():
                pass
        except ConnectionResetError:
            pass
        return self.got.endswith(b"0\r\n\r\n")

    def is_going_on(self):
        """Whether the next part comes."""
        try:
            return bool(self._more())
        except ConnectionResetError:
            return False

    def close(self):
        """Leave."""
        self.socket.close()
