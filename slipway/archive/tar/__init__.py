"""The tar format itself: headers, extended headers, sparse files, and the parser."""
