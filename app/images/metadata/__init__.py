"""Removes everything from an image file that is not the picture: EXIF with place and camera, XMP, comments, thumbnails,
and bytes after the end.

Works on the container alone and decodes nothing, so the picture stays exactly the same. Each format has a list of what
is kept; everything else is removed.
"""
