"""Signed links, used by what boto3 sends its own requests with; and where the
store is S3, what lies there, read by boto3 with the store's keys."""

import hashlib
import json
import os
import time
import urllib.parse

import boto3
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

BASE = os.environ["BASE"]
KEY = os.environ["KEY"]
PROJECT = os.environ["PROJECT"]
SIZE = 3 * 1024 * 1024
SESSION = URLLib3Session()


def send(method, url, data=None, headers=None):
    """Host and store are asked again as boto3 asks: when they say that they
    cannot answer now, in the words of each, and when a connection that was kept
    has been closed meanwhile, as it is after a refusal that came before the
    body was sent."""
    passing = (503,) if url.startswith(BASE) else (500, 502, 503)
    for attempt in range(10):
        request = AWSRequest(method=method, url=url, data=data, headers=headers or {})
        try:
            answer = SESSION.send(request.prepare())
        except ConnectionClosedError as error:
            if attempt == 9:
                raise
            print("asked again:", method, error)
            continue
        if answer.status_code not in passing:
            break
        print("asked again:", method, answer.status_code, answer.text)
        time.sleep(min(float(answer.headers.get("retry-after", 0.5)), 5))
    return answer


def call(method, path, body=None):
    headers = {"x-api-key": KEY}
    data = None
    if body is not None:
        headers["content-type"] = "application/json"
        data = json.dumps(body).encode()
    answer = send(method, BASE + path, data, headers)
    assert answer.status_code in (200, 201), (path, answer.status_code, answer.text)
    return json.loads(answer.content)


def announce(path, kind, size, bound="maxSize"):
    return call("POST", "/v1/storage/signed-upload", {
        "bucket": "films", "path": path, "contentType": kind, bound: size,
    })


def digest(data):
    return hashlib.sha256(data).hexdigest()


def through_links(data, bound):
    """Up by a link and down by another, whole and in part."""
    link = announce("reels/ü 1.bin", "video/mp4", len(data), bound)
    straight = bound == "size" and os.environ["ATLASHUB_TEST_ENGINE"] == "postgres"
    assert ("X-Amz-Signature=" in link["uploadUrl"]) == straight, link
    assert set(link) >= {"objectKey", "uploadUrl", "expiresIn"}, link
    sent = send("PUT", link["uploadUrl"], data, {"Content-Type": "video/mp4"})
    assert 200 <= sent.status_code < 300, (sent.status_code, sent.text)

    query = urllib.parse.urlencode({"bucket": "films", "objectKey": link["objectKey"]})
    link = call("GET", "/v1/storage/signed-download?" + query)
    assert set(link) >= {"downloadUrl", "expiresIn"}, link
    got = send("GET", link["downloadUrl"])
    assert got.status_code == 200, (got.status_code, got.text)
    assert digest(got.content) == digest(data)
    assert got.headers["content-type"] == "video/mp4", got.headers
    part = send("GET", link["downloadUrl"], headers={"Range": "bytes=5-14"})
    assert part.status_code == 206 and part.content == data[5:15], part.status_code


def bound_to_what_was_signed(data):
    """Another type, another method or another signature is refused."""
    link = announce("refused.bin", "video/mp4", len(data))["uploadUrl"]
    kind = {"Content-Type": "text/html"}
    assert send("PUT", link, data, kind).status_code in (400, 403, 415)
    assert send("GET", link).status_code in (400, 403, 404, 405)
    parts = urllib.parse.urlsplit(link)
    if parts.query:
        forged = link[:-1] + ("0" if link[-1] != "0" else "1")
    else:
        forged = urllib.parse.urlunsplit(parts._replace(path=parts.path[:-4] + "AAAA"))
    kind = {"Content-Type": "video/mp4"}
    assert send("PUT", forged, data, kind).status_code in (400, 403, 404)
    listed = call("GET", "/v1/storage/list?bucket=films&prefix=refused")
    assert listed["objects"] == [], listed


def upload_through_the_host(data):
    headers = {"x-api-key": KEY, "file-path": "whole.bin"}
    sent = send("POST", BASE + "/files/upload", data, headers)
    assert sent.status_code == 201, (sent.status_code, sent.text)
    assert json.loads(sent.content)["sha256"] == digest(data)


def in_the_store(expected):
    """What the project has in the bucket is what was sent, byte by byte."""
    store = urllib.parse.urlsplit(os.environ["ATLASHUB_TEST_S3_URL"])
    settings = dict(urllib.parse.parse_qsl(store.query))
    client = boto3.client(
        "s3",
        endpoint_url=settings["endpoint"],
        region_name=settings["region"],
        config=Config(s3={"addressing_style": "path"}),
    )
    bucket = store.netloc
    found = {}
    pages = client.get_paginator("list_objects_v2")
    for servers in pages.paginate(Bucket=bucket, Delimiter="/"):
        for server in servers.get("CommonPrefixes", []):
            prefix = server["Prefix"] + "t/" + PROJECT + "/"
            for page in pages.paginate(Bucket=bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    body = client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                    assert len(body) == entry["Size"], entry
                    found[digest(body)] = entry["Key"]
    for data in expected:
        assert digest(data) in found, found


def main():
    sent, uploaded = os.urandom(SIZE), os.urandom(SIZE)
    through_links(os.urandom(SIZE), "maxSize")
    through_links(sent, "size")
    bound_to_what_was_signed(os.urandom(100))
    upload_through_the_host(uploaded)
    if os.environ["ATLASHUB_TEST_ENGINE"] == "postgres":
        in_the_store([sent, uploaded])


main()
