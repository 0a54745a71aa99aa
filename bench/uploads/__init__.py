"""Benches of uploads, through the app and straight to storage."""
