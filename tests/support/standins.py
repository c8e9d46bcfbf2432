"""Stand-ins for stores that cannot be had here, strict about what the real ones refuse.

Not the stores: each part does what the store's documentation says of one interface. Loki's, VictoriaLogs',
Elasticsearch's and Splunk's are written from that; the receiver of OTLP is built from opentelemetry-proto, the messages that its makers
publish. What is accepted is written to a file, a JSON object a line.

    standins.py PORT FILE
"""

import gzip
import json
import re
import sys
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

LINE_BYTES_MAX = 256 * 1024
LABELS = re.compile(r'^\{[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*\}$')


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def fields(data):
    """Number and value of each field of a protobuf message, without its schema."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
            assert len(value) == size, "a field that is cut"
        else:
            raise AssertionError("a kind of field that no push has")
        yield key >> 3, value


def unsnappy(data):
    """Snappy's block format."""
    size, at = varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            length = tag >> 2
            if length >= 60:
                extra = length - 59
                length = int.from_bytes(data[at : at + extra], "little")
                at += extra
            out += data[at : at + length + 1]
            at += length + 1
            continue
        if tag & 3 == 1:
            length, offset = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at]
            at += 1
        else:
            wide = 2 if tag & 3 == 2 else 4
            length, offset = (tag >> 2) + 1, int.from_bytes(data[at : at + wide], "little")
            at += wide
        for _ in range(length):
            out.append(out[-offset])
    assert len(out) == size, "a body that is cut"
    return bytes(out)


class Refused(Exception):
    """A request that the store turns away: status, body."""


class Stores:
    """What was accepted, and in what state the stores are."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")
        self.lock = threading.Lock()
        self.seen, self.acks = set(), {}

    def keep(self, store, **record):
        self.file.write(json.dumps({"store": store, **record}) + "\n")
        self.file.flush()

    def loki(self, headers, _, body):
        if headers.get("content-type") != "application/x-protobuf":
            raise Refused(415, "content type")
        failed = 0
        for _, stream in fields(unsnappy(body)):
            parts = list(fields(stream))
            labels = next(value for number, value in parts if number == 1).decode()
            if not LABELS.match(labels):
                raise Refused(400, "error parsing labels")
            before = (0, 0)
            for entry in (value for number, value in parts if number == 2):
                parts_of = list(fields(entry))
                time = dict(fields(next(value for number, value in parts_of if number == 1)))
                time = (time.get(1, 0), time.get(2, 0))
                line = next((value for number, value in parts_of if number == 2), b"").decode()
                pairs = [dict(fields(value)) for number, value in parts_of if number == 3]
                metadata = {pair[1].decode(): pair[2].decode() for pair in pairs}
                # Loki keeps what it can of a push, and says 400 for the rest.
                if len(line) > LINE_BYTES_MAX or metadata.get("procid") == "none":
                    failed += 1
                    continue
                assert time >= before, "entries of a stream are not in order"
                before = time
                # The same entry twice is kept once.
                if (labels, time, line) not in self.seen:
                    self.seen.add((labels, time, line))
                    self.keep("loki", labels=labels, message=line, **metadata)
        if failed:
            raise Refused(400, "entry rejected")
        return 204, b""

    def victorialogs(self, _, query, body):
        assert query["_stream_fields"] == ["class,stream"] and query["_time_field"] == ["_time"]
        for line in body.splitlines():
            # A line that is too long is dropped without a word.
            if len(line) <= LINE_BYTES_MAX:
                record = json.loads(line)
                datetime.fromisoformat(record.pop("_time")[:19]).replace(tzinfo=timezone.utc)
                self.keep("victorialogs", **record)
        return 200, b""

    def token(self, headers):
        if not (headers.get("authorization") or "").startswith("Splunk "):
            raise Refused(401, '{"text":"Token is required","code":2}')
        if headers["authorization"] != "Splunk token-7f3a":
            raise Refused(403, '{"text":"Invalid token","code":4}')
        if not headers.get("x-splunk-request-channel"):
            raise Refused(400, '{"text":"Data channel is missing","code":10}')

    def splunk(self, headers, _, body):
        self.token(headers)
        text, at, events = body.decode().strip(), 0, []
        while at < len(text):
            event, end = json.JSONDecoder().raw_decode(text, at)
            at = len(text) - len(text[end:].lstrip())
            strange = set(event) - {"time", "host", "source", "sourcetype", "index", "event", "fields"}
            if strange or event["event"].get("procid") == "none":
                told = {"text": "Invalid data format", "code": 6, "invalid-event-number": len(events)}
                raise Refused(400, json.dumps(told))
            events.append(event)
        for event in events:
            self.keep("splunk", index=event.get("index"), stamp=event["time"], **event["event"])
        number = len(self.acks)
        self.acks[number] = 0
        return 200, json.dumps({"text": "Success", "code": 0, "ackId": number}).encode()

    def splunk_ack(self, headers, _, body):
        self.token(headers)
        answer = {}
        for number in json.loads(body)["acks"]:
            # Written by the second time somebody asks.
            self.acks[number] += 1
            answer[str(number)] = self.acks[number] > 1
        return 200, json.dumps({"acks": answer}).encode()

    def elasticsearch(self, headers, query, body):
        # A vendor's type names a version; what is accepted must then name the same.
        sent, wanted = headers.get("content-type") or "", headers.get("accept") or "*/*"
        vendor = re.match(r"application/vnd\.elasticsearch\+x-ndjson; ?compatible-with=([89])$", sent)
        if vendor is None and sent.split(";")[0] not in ("application/x-ndjson", "application/json"):
            raise Refused(406, '{"error":"Content-Type header is not supported"}')
        if vendor and f"compatible-with={vendor[1]}" not in wanted or not vendor and "compatible-with" in wanted:
            raise Refused(400, '{"error":"Accept and Content-Type versions differ"}')
        if not body.endswith(b"\n"):
            raise Refused(400, '{"error":"The bulk request must be terminated by a newline"}')
        lines, items = body.decode().splitlines(), []
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            (verb, of), document = next(iter(json.loads(action).items())), json.loads(document)
            assert verb == "create" and set(of) == {"_index", "_id"}, "an action that is not expected"
            if not re.match(r"^[a-z0-9][a-z0-9._-]*$", of["_index"]):
                item = {"status": 400, "error": {"type": "invalid_index_name_exception"}}
            elif document.get("procid") == "none":
                item = {"status": 400, "error": {"type": "document_parsing_exception", "reason": str(document)}}
            elif (of["_index"], of["_id"]) in self.seen:
                item = {"status": 409, "error": {"type": "version_conflict_engine_exception"}}
            else:
                self.seen.add((of["_index"], of["_id"]))
                self.keep("elasticsearch", index=of["_index"], document=of["_id"], **document)
                item = {"status": 201}
            items.append({"create": item})
        errors = any(item["create"]["status"] >= 300 for item in items)
        return 200, json.dumps({"errors": errors, "items": items}).encode()

    def otlp(self, headers, _, body):
        if headers.get("content-type") != "application/x-protobuf":
            raise Refused(415, "content type")
        request, rejected = ExportLogsServiceRequest.FromString(body), 0
        for resource in request.resource_logs:
            of = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            for scope in resource.scope_logs:
                for log in scope.log_records:
                    pairs = {pair.key: pair.value.string_value for pair in log.attributes}
                    if pairs.get("process.pid") == "none":
                        rejected += 1
                        continue
                    if pairs["logveil.id"] in self.seen:
                        continue
                    self.seen.add(pairs["logveil.id"])
                    assert log.time_unix_nano <= log.observed_time_unix_nano
                    self.keep("otlp", message=log.body.string_value, severity=log.severity_number, **of, **pairs)
        answer = ExportLogsServiceResponse()
        if rejected:
            answer.partial_success.rejected_log_records = rejected
        return 200, answer.SerializeToString()


PATHS = {
    "/loki/api/v1/push": Stores.loki,
    "/insert/jsonline": Stores.victorialogs,
    "/services/collector/event": Stores.splunk,
    "/services/collector/ack": Stores.splunk_ack,
    "/v1/logs": Stores.otlp,
    "/_bulk": Stores.elasticsearch,
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stores = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        url = urlsplit(self.path)
        try:
            with self.stores.lock:
                status, answer = PATHS[url.path](self.stores, self.headers, parse_qs(url.query), body)
        except Refused as refused:
            status, answer = refused.args[0], refused.args[1].encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    Handler.stores = Stores(sys.argv[2])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
