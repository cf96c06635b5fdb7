#!/usr/bin/python3
"""Reads the event file that write_events writes: framing, checks and fields.

usage: tests/inspect/read_events.py PROGRAM            runs PROGRAM, write_events
       tests/inspect/read_events.py FOLDER             write_events has run with FOLDER

Needs Python alone. If protoc is installed, it decodes every event too.
"""
import math
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

BEGIN = 1600000000.25


def crc32c(data):
    """Bit by bit, as the polynomial's definition has it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def expect_check(data, masked):
    rotated = (masked - 0xA282EAD8) & 0xFFFFFFFF
    assert ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF == crc32c(data)


def records_of(data):
    while data:
        length, check = struct.unpack_from("<QI", data)
        expect_check(data[:8], check)
        record = data[12:12 + length]
        expect_check(record, *struct.unpack_from("<I", data, 12 + length))
        yield record
        data = data[16 + length:]


def varint_of(data):
    value = 0
    for i, byte in enumerate(data):
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value, data[i + 1:]
    raise ValueError("a varint does not end")


def fields_of(data):
    """Field number -> value. No field of an event in this file occurs twice."""
    fields = {}
    while data:
        key, data = varint_of(data)
        number, kind = key >> 3, key & 7
        assert number not in fields, number
        if kind == 0:
            fields[number], data = varint_of(data)
        elif kind == 1:
            fields[number], data = struct.unpack_from("<d", data)[0], data[8:]
        elif kind == 5:
            fields[number], data = struct.unpack_from("<f", data)[0], data[4:]
        else:
            assert kind == 2, kind
            length, data = varint_of(data)
            assert length <= len(data)
            fields[number], data = data[:length], data[length:]
    return fields


def value_of(event, step, wall_time, tag):
    fields = fields_of(event)
    assert set(fields) == {1, 2, 5} and fields[1] == wall_time and fields[2] == step, fields
    value = fields_of(fields_of(fields[5])[1])
    assert value[1].decode() == tag
    return value


def check_histogram(message, values):
    histogram = fields_of(message)
    limits, counts = ([x[0] for x in struct.iter_unpack("<d", histogram[i])] for i in (6, 7))
    low, high = (min(values), max(values)) if values else (0, 0)
    assert [histogram[i] for i in (1, 2, 3)] == [low, high, len(values)]
    assert math.isclose(histogram[4], math.fsum(values)), histogram[4]
    assert math.isclose(histogram[5], math.fsum(v * v for v in values)), histogram[5]
    assert len(limits) == len(counts) >= 1 and limits == sorted(set(limits))
    for lower, upper, count in zip([-math.inf] + limits, limits, counts):
        assert count == sum(lower <= v < upper for v in values), upper
    assert sum(counts) == len(values)


def check_folder(folder):
    file, = pathlib.Path(folder).iterdir()
    assert file.name == "events.out.tfevents.1600000000.tersegrad"
    events = list(records_of(file.read_bytes()))
    assert fields_of(events[0]) == {1: BEGIN, 3: b"brain.Event:2"}
    assert len(events) == 203
    for step, event in enumerate(events[1:201]):
        value = value_of(event, step, BEGIN + step, "loss")
        assert math.isclose(value[2], 1 / (step + 1), rel_tol=1e-7)
    values = [i / 64 for i in range(-500, 1001)]
    check_histogram(value_of(events[201], 10**12, BEGIN, "gradient/größe")[5], values)
    check_histogram(value_of(events[202], 0, BEGIN, "empty")[5], [])
    if shutil.which("protoc"):
        for event in events:
            subprocess.run(["protoc", "--decode_raw"], input=event, check=True,
                           stdout=subprocess.DEVNULL)
    print(f"{len(events)} events read")


def main(source):
    if pathlib.Path(source).is_dir():
        check_folder(source)
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([source, folder], check=True)
        check_folder(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
