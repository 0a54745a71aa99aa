"""The operator area: servers, partners, storage, the whole log. One module a page.

Operators run the platform and belong to no partner; nobody else gets in."""

from __future__ import annotations

from app.web.operator import add_server, audit, partner, partners, retirement, server, servers, storage, token

PAGES = (
    servers.pages,
    server.pages,
    add_server.pages,
    token.pages,
    retirement.pages,
    partners.pages,
    partner.pages,
    storage.pages,
    audit.pages,
)

# Main navigation: name, endpoint, and what the addresses below it begin with.
PLACES = (
    ("Servers", "operator_servers.index", ("/operator/servers", "/operator/fleet", "/operator/add-server")),
    ("Partners", "operator_partners.index", ("/operator/partners",)),
    ("Storage", "operator_storage.page", ("/operator/storage",)),
    ("Audit", "operator_audit.page", ("/operator/audit",)),
)
