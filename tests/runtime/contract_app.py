"""The little app of the runtime contract: its one argument says how it behaves."""

APP = """
import http.server, os, signal, socketserver, sys, time

kind = sys.argv[1]
if kind == "broken":
    print("no luck", flush=True)
    sys.exit(3)
if kind == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
elif os.getpid() == 1:  # the first process of a container ends at no signal by itself
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if kind == "mute":
    time.sleep(3600)
born = time.monotonic()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        well = kind != "sick" or time.monotonic() - born < 1.5
        self.send_response(200 if well else 500)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

Server(("0.0.0.0", int(os.environ.get("PORT", "8000"))), Handler).serve_forever()
"""
