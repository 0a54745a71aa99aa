"""Which tests need both kinds of database: those in which rows are locked, counted or moved."""

import pytest

one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
