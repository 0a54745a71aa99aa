"""Takes everything out of an image file that is not the picture: EXIF with its place and camera, XMP, comments,
thumbnails, and whatever stands behind the end.

Works on the container alone and decodes nothing, so the picture stays the same to the last bit. What is kept is listed,
format by format; what nobody listed goes.
"""
