"""The operator area: servers, partners, storage, the whole log. One module a page.

Operators run the platform and belong to no partner; nobody else gets in."""

from __future__ import annotations

from app.web.operator import (
    add_server_page,
    audit_page,
    partner_list,
    partner_page,
    retire_server,
    server_list,
    server_page,
    storage_page,
    token_page,
)

PAGES = (
    server_list.pages,
    server_page.pages,
    add_server_page.pages,
    token_page.pages,
    retire_server.pages,
    partner_list.pages,
    partner_page.pages,
    storage_page.pages,
    audit_page.pages,
)

# Main navigation: name, endpoint, and what the addresses below it begin with.
PLACES = (
    ("Servers", "operator_servers.index", ("/operator/servers", "/operator/fleet", "/operator/add-server")),
    ("Partners", "operator_partners.index", ("/operator/partners",)),
    ("Storage", "operator_storage.page", ("/operator/storage",)),
    ("Audit", "operator_audit.page", ("/operator/audit",)),
)
