"""The operator area: servers, partners, storage, the whole audit log. One module per page.

Operators run the platform and belong to no partner; nobody else gets in."""
