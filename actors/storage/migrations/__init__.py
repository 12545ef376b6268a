"""Alembic migrations, run by `actors.storage.upgrades` when a service starts.

A new one is a file in ``versions``, made by copying the newest and numbering it one up. A test tells whether
all migrations together make the tables of `actors.storage.schema`.
"""
