"""Charts as SVG made by the server: shapes from plain numbers, words beside them, and the numbers in a table."""
