"""How an image comes in: presigned, sent to storage, verified, confirmed."""
