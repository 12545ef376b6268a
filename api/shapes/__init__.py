"""Shapes: what is held of learners, put into the words of the API. Pure functions; the routes ask and answer."""
