"""The operator area: servers, partners, storage, the complete audit log. One module per page.

Operators run the platform and belong to no partner. All other users are refused."""
