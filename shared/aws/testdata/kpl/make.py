"""Makes the fixtures beside it: `pip install aws-kinesis-agg six`, then `python make.py`.

`aggregated/<name>.bin` is a blob as aws-kinesis-agg packs it, `<name>.json` what it must unpack to.
`plain/<name>.bin` looks like one and is none.
"""

import base64
import hashlib
import json
import pathlib

from aws_kinesis_agg.aggregator import RecordAggregator  # first: it sets the path that messages_pb2 needs
from aws_kinesis_agg import MAGIC, messages_pb2

HERE = pathlib.Path(__file__).parent


def pack(records):
    aggregator = RecordAggregator()
    for key, data, explicit in records:
        assert aggregator.add_user_record(key, data, explicit) is None, "it must fit one blob"
    return aggregator.clear_and_get().get_contents()[2]


def seal(body):
    return MAGIC + body + hashlib.md5(body).digest()


def aggregated(name, records):
    folder = HERE / "aggregated"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.bin").write_bytes(pack(records))
    rows = [
        {"partition_key": key, "explicit_hash_key": explicit, "data": base64.b64encode(data).decode()}
        for key, data, explicit in records
    ]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / f"{name}.json").write_text(f"[\n{lines}\n]\n")


def plain(name, blob):
    folder = HERE / "plain"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.bin").write_bytes(blob)


ONE = [("JFK", b'{"n":0}', None)]
KEYS = [
    ("JFK", b'{"n":0}', None),
    ("LHR", b'{"n":1}', None),
    ("JFK", b'{"n":2}', None),
    ("Zürich ✈", b"\xff\x00\xfe", None),
    ("JFK", b"", None),
]
aggregated("one", ONE)
aggregated("keys", KEYS)
aggregated("explicit-hash-keys", [
    ("JFK", b"a", "0"),
    ("JFK", b"b", str(2**128 - 1)),
    ("LHR", b"c", None),
    ("LHR", b"d", "0"),
    ("SIN", b"e", str(2**127)),
])
aggregated("many", [
    (f"key-{n % 200}", bytes([n % 256]) * (n % 130), str(n * 2**119) if n % 3 == 0 else None) for n in range(400)
])
aggregated("nested", [("outer", pack(ONE), None), ("outer", b"beside", None)])

GOOD = pack(KEYS)
BODY = GOOD[4:-16]
plain("magic", b"\xf3\x89\x9a\xc3" + GOOD[4:])
plain("checksum", GOOD[:-1] + bytes([GOOD[-1] ^ 1]))
plain("body", GOOD[:20] + bytes([GOOD[20] ^ 0x40]) + GOOD[21:])
plain("cut", GOOD[: len(GOOD) // 2])
plain("magic-alone", MAGIC)
plain("no-protobuf", seal(BODY[:-3]))
plain("no-records", seal(b""))


def altered(name, change):
    message = messages_pb2.AggregatedRecord()
    message.ParseFromString(BODY)
    change(message)
    plain(name, seal(message.SerializePartialToString()))


def with_hash_key(text):
    def change(message):
        message.explicit_hash_key_table.append(text)
        message.records[1].explicit_hash_key_index = 0

    return change


def with_key(text):
    def change(message):
        message.partition_key_table[1] = text

    return change


altered("key-outside-its-table", lambda m: setattr(m.records[1], "partition_key_index", 3))
altered("hash-key-outside-its-table", lambda m: setattr(m.records[1], "explicit_hash_key_index", 0))
altered("record-without-data", lambda m: m.records[1].ClearField("data"))
altered("record-without-key", lambda m: m.records[1].ClearField("partition_key_index"))
altered("hash-key-no-number", with_hash_key("12x"))
altered("hash-key-too-large", with_hash_key(str(2**128)))
altered("key-empty", with_key(""))
altered("key-too-long", with_key("k" * 257))
