"""Notifications: the catalogue of types, and who may be sent which of them."""
