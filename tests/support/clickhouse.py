"""ClickHouse's own engine (chdb) behind as much of its HTTP interface as the tests need.

Not the server: chdb is the engine as a library. What is parsed, stored, merged and refused is the engine's doing;
this file only carries a request's query and body to it, and its answer or exception back.

    clickhouse.py PORT FOLDER
"""

import re
import sys
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from chdb import session

# Parameters of the interface that are no settings of a query.
OWN = {"query", "wait_end_of_query", "user", "password", "database", "default_format"}
PLAIN = re.compile(r"^[\w.:-]+$")


def settings(parameters):
    """The URL's settings, as a clause."""
    pairs = [(name, values[0]) for name, values in parameters.items() if name not in OWN]
    for name, value in pairs:
        assert PLAIN.match(name) and PLAIN.match(value), name
    return ", ".join(f"{name} = '{value}'" for name, value in pairs)


def statement(query, clause, body):
    """The query with its settings, an insert's rows behind it."""
    insert = re.match(r"(?s)(INSERT INTO \S+) (FORMAT \w+)\s*$", query)
    if insert:
        return f"{insert[1]} {'SETTINGS ' + clause if clause else ''} {insert[2]}\n{body}"
    return query if not body else f"{query}\n{body}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine = None
    # A session of chdb answers one query after the other.
    turn = threading.Lock()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-encoding") == "gzip":
            body = zlib.decompress(body, 31)
        parameters = parse_qs(urlsplit(self.path).query)
        query = parameters.get("query", [""])[0]
        try:
            text = statement(query, settings(parameters), body.decode()) if query else body.decode()
            with self.turn:
                answer = self.engine.query(text, "TabSeparated").bytes()
            self.answer(200, answer)
        except Exception as error:
            code = re.search(r"Code: (\d+)", str(error))
            self.answer(500, str(error).encode(), code[1] if code else "1002")

    do_GET = do_POST

    def answer(self, status, body, code=None):
        self.send_response(status)
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    Handler.engine = session.Session(sys.argv[2])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
