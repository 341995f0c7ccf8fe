"""Which addresses may be named, however they are spelled."""

from __future__ import annotations

import ipaddress

import pytest
from evenkeel.adapters.address import Address, Allowed, never_elsewhere
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("http://prometheus.monitoring:9090", "http://prometheus.monitoring:9090"),
        ("HTTPS://Mimir.Example:443/prom/", "https://mimir.example/prom"),
        ("http://mimir.example.:80", "http://mimir.example"),
        ("https://a.example/select/0:0/prometheus", "https://a.example/select/0:0/prometheus"),
        ("http://[::1]:9090/x", "http://[::1]:9090/x"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("http://10.0.0.1", "http://10.0.0.1"),
        ("http://my_service:9090", "http://my_service:9090"),
    ],
)
def test_one_spelling(url: str, same: str) -> None:
    assert str(Address.parse(url)) == same
    assert Address.parse(same) == Address.parse(url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://user:pw@host", "no user or password"),
        ("https://mimir.example@evil", "no user or password"),
        ("http://host?a=pw", "without \\? and #"),
        ("http://host/#pw", "without \\? and #"),
        ("http://host/?", "without \\? and #"),
        ("http://host#", "without \\? and #"),
        ("ftp://host", "begin with http"),
        ("host:9090", "begin with http"),
        ("http:///x", "begin with http"),
        ("http:host", "begin with http"),
        ("", "begin with http"),
        ("http://host/a/../b", "plain"),
        ("http://host/a/./b", "plain"),
        ("http://host/..", "plain"),
        ("http://host/...", "plain"),
        ("http://host//x", "plain"),
        ("http://host/%2e%2e/x", "plain"),
        ("http://host/a%2fb", "plain"),
        ("http://host\\@evil", "backslashes"),
        ("http://host/a b", "spaces"),
        ("http://host/a\nb", "spaces"),
        ("\thttp://host", "spaces"),
        ("http://hóst", "ASCII"),
        ("http://2130706433", "host must be"),
        ("http://0x7f.1", "host must be"),
        ("http://017700000001", "host must be"),
        ("http://127.1", "host must be"),
        ("http://1.2.3.4.5", "host must be"),
        ("http://a..b", "host must be"),
        ("http://-a", "host must be"),
        ("http://a%2eb", "host must be"),
        ("http://[fe80::1%25eth0]", "host must be"),
        ("http://[x]", "malformed|host must be"),
        ("http://host:0", "port"),
        ("http://host:99999", "malformed"),
        ("http://host:x", "malformed"),
    ],
)
def test_refused_with_what_to_write_instead(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as raised:
        Address.parse(url)
    assert "pw" not in str(raised.value)


@given(st.text(max_size=60), st.sampled_from(["http://", "https://mimir.example", ""]))
def test_whatever_is_taken_stays_the_same_when_read_again(text: str, begin: str) -> None:
    try:
        found = Address.parse(begin + text)
    except ValueError:
        return
    assert Address.parse(str(found)) == found
    assert not set("?#@%\\ ") & set(str(found))


ALLOWED = Allowed.parse(["https://mimir.example/prom", "team-a=http://10.1.2.3:9090"])


@pytest.mark.parametrize(
    ("url", "namespace", "allowed"),
    [
        ("https://mimir.example/prom", "any", True),
        ("https://MIMIR.example:443/prom/", "any", True),
        ("https://mimir.example./prom/team-x", "any", True),
        ("https://mimir.example/prometheus", "any", False),
        ("https://mimir.example", "any", False),
        ("http://mimir.example/prom", "any", False),
        ("https://mimir.example:8443/prom", "any", False),
        ("https://mimir.example.evil.com/prom", "any", False),
        ("http://10.1.2.3:9090/x", "team-a", True),
        ("http://10.1.2.3:9090", "team-b", False),
        ("http://10.1.2.3:9091", "team-a", False),
    ],
)
def test_allowed_by_host_port_and_whole_segments(url: str, namespace: str, allowed: bool) -> None:
    assert ALLOWED.names(Address.parse(url), namespace) == allowed


@pytest.mark.parametrize("entry", ["Team=http://a", "=http://a", "a=b", "http://a?b", "http://u@a"])
def test_wrong_entries_are_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Allowed.parse([entry])


@pytest.mark.parametrize(
    ("ip", "in_pod", "elsewhere"),
    [
        ("169.254.169.254", True, True),
        ("169.254.170.2", True, True),
        ("::ffff:169.254.169.254", True, True),
        ("64:ff9b::a9fe:a9fe", True, True),
        ("2002:a9fe:a9fe::1", True, True),
        ("fe80::1", True, True),
        ("fd00:ec2::254", True, True),
        ("100.100.100.200", True, True),
        ("224.0.0.1", True, True),
        ("127.0.0.1", True, False),
        ("127.8.9.1", True, False),
        ("0.0.0.0", True, False),
        ("::1", True, False),
        ("::ffff:127.0.0.1", True, False),
        ("10.0.0.1", False, False),
        ("192.168.1.1", False, False),
        ("fd12::1", False, False),
        ("2600:1f18::1", False, False),
    ],
)
def test_addresses_that_no_prometheus_has(ip: str, in_pod: bool, elsewhere: bool) -> None:
    found = ipaddress.ip_address(ip)
    assert never_elsewhere(found, loopback=True) == in_pod
    assert never_elsewhere(found, loopback=False) == elsewhere
