"""Where a visitor may be sent."""

from __future__ import annotations

import pytest

from app.web.frame.current_user import local_address

ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "javascript:alert(1)",
    "evil.example",
    "",
    None,
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_no_address_leads_to_another_site(target: str | None) -> None:
    assert local_address(target, "/games") == "/games"


@pytest.mark.parametrize("target", ["/", "/games", "/games?tag=Visual+Novel&q=a//b", "/games/x#fleet"])
def test_own_addresses_are_kept(target: str) -> None:
    assert local_address(target, "/other") == target
