"""`flask` commands for accounts: partners, quotas, members, keys and servers. They call the functions of the pages."""
