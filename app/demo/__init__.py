"""The demo school, Meridian: real courses and a believable year of members, orders and progress.

The one package that writes other domains' tables directly: it loads hundreds of thousands of rows with COPY.
"""
