"""Routes: one module for each concern, in the order in which the documentation shows them."""
