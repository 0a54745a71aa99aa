"""Uploading an image: presign, send to storage, verify, confirm."""
