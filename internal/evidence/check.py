#!/usr/bin/env python3
"""Checks the evidence in this folder with nothing but Python: the SHA-256 of
every file, and the chain of hashes of every record. See README.txt."""

import hashlib
import json
import os
import struct
import sys

HEADER = 140


def fail(text):
    print("NOT AS IT WAS WRITTEN: " + text)
    sys.exit(1)


def sha256_of(name):
    total = hashlib.sha256()
    with open(name, "rb") as f:
        while block := f.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def check_day(day):
    """Follows the chain through a day and returns how many records it has."""
    number, before, count = day["firstSequence"], day["previousHash"], 0
    with open(day["file"], "rb") as f:
        at = 0
        while header := f.read(HEADER):
            where = f"{day['file']}, record {number} at byte {at}"
            if len(header) < HEADER or header[:3] != b"SLA":
                fail(f"{where}: no record begins here")
            meta, body = struct.unpack_from("<II", header, 8)
            content = f.read(meta + body)
            if struct.unpack_from("<Q", header, 24)[0] != number:
                fail(f"{where}: its number is another")
            if header[40:72].hex() != before:
                fail(f"{where}: it is not linked to the record before")
            if len(content) != meta + body or hashlib.sha256(content).digest() != header[72:104]:
                fail(f"{where}: its content is another")
            before = hashlib.sha256(header[:104]).hexdigest()
            if header[104:136].hex() != before:
                fail(f"{where}: its header is another")
            number, count, at = number + 1, count + 1, at + HEADER + len(content)
    if number - 1 != day["lastSequence"] or before != day["hash"]:
        fail(f"{day['file']}: it ends at record {number - 1}, not as the manifest says at {day['lastSequence']}")
    return count


def main():
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    with open("manifest.json", encoding="utf-8") as f:
        manifest = json.load(f)
    for file in manifest["files"]:
        if sha256_of(file["name"]) != file["sha256"]:
            fail(f"{file['name']}: its SHA-256 is another")
    count, last = 0, None
    for day in manifest["segments"]:
        if last and day["firstSequence"] == last["lastSequence"] + 1 and day["previousHash"] != last["hash"]:
            fail(f"{day['file']}: it does not follow on the day before")
        count, last = count + check_day(day), day
    print(f"{len(manifest['files'])} files and {count} records of the trail {manifest['trail']} are as the manifest says.")
    if "keyId" in manifest:
        print(f"Check the signature of manifest.json with the key {manifest['keyId']}, as README.txt says.")
    else:
        print("The manifest is not signed: whoever made this file could have made it of anything.")


main()
