"""Files that people upload: pictures, films, captions.

Owns `uploads`. The bytes are with the storage gateway; this package knows whose they are and who may see them.
"""
