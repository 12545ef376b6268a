"""Delivery: from a decision to the learner, through an outbox, by channels that may be slow, down or wrong."""
