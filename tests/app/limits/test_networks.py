"""What counts as one place."""

from __future__ import annotations

import pytest

from app.limits.networks import network_of, site_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("192.0.2.1:50312", "192.0.2.1"),
        ("[2001:db8:1:2::9]:50312", "2001:db8:1:2::/64"),
        (None, ""),
        ("what a proxy may say", "what a proxy may say"),
    ],
)
def test_addresses_are_counted_as_what_one_household_has(address: str | None, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("address", "site"),
    [("2001:db8:1:2::9", "2001:db8:1::/48"), ("2001:db8:1:ffff::9", "2001:db8:1::/48"), ("192.0.2.1", "192.0.2.1")],
)
def test_whoever_has_many_networks_has_one_share(address: str, site: str) -> None:
    assert site_of(address) == site
