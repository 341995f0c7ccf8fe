"""Signatures against the vectors that AWS publishes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from evenkeel.adapters.sigv4 import NO_BODY, Keys, Scope, authorization, encoded, query

SUITE = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
IN_SUITE = Scope("us-east-1", "service", datetime(2015, 8, 30, 12, 36, tzinfo=UTC))
S3 = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
IN_S3 = Scope("us-east-1", "s3", datetime(2013, 5, 24, tzinfo=UTC))
HOST = {"Host": "examplebucket.s3.amazonaws.com"}
DATED = {"x-amz-date": "20130524T000000Z"}
EMPTY = {**HOST, **DATED, "x-amz-content-sha256": NO_BODY}
WELCOME = hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()


@pytest.mark.parametrize(
    ("parameters", "signature"),
    [
        ({}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            {"Param2": "value2", "Param1": "value1"},
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ],
    ids=["get-vanilla", "get-vanilla-query-order-key-case"],
)
def test_the_suite_of_the_algorithm(parameters: Mapping[str, str], signature: str) -> None:
    headers = {"Host": "example.amazonaws.com", "X-Amz-Date": "20150830T123600Z"}
    assert authorization(SUITE, IN_SUITE, "GET", "/", query(parameters), headers) == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}"
    )


@pytest.mark.parametrize(
    ("method", "path", "parameters", "headers", "body", "signature"),
    [
        (
            "GET",
            "/test.txt",
            {},
            {**EMPTY, "Range": "bytes=0-9"},
            NO_BODY,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test$file.text",
            {},
            {
                **HOST,
                **DATED,
                "Date": "Fri, 24 May 2013 00:00:00 GMT",
                "x-amz-content-sha256": WELCOME,
                "x-amz-storage-class": "REDUCED_REDUNDANCY",
            },
            WELCOME,
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/",
            {"lifecycle": ""},
            EMPTY,
            NO_BODY,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            "/",
            {"prefix": "J", "max-keys": "2"},
            EMPTY,
            NO_BODY,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
    ids=["object", "put", "lifecycle", "list"],
)
def test_the_examples_of_s3(
    method: str,
    path: str,
    parameters: Mapping[str, str],
    headers: Mapping[str, str],
    body: str,
    signature: str,
) -> None:
    made = authorization(
        S3, IN_S3, method, encoded(path, "/"), query(parameters), headers, body=body
    )
    assert made.endswith(f"Signature={signature}")


def test_the_secret_is_not_shown() -> None:
    assert "wJalr" not in repr(S3)
    assert "hush" not in repr(Keys("id", "secret", "hush"))
