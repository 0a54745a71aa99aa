"""Packs of builds: made in the background, stored beside the archives, named in the plans of servers."""
