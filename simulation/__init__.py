"""The virtual driver: synthetic learners, scenarios, metrics and claims over the same actors as the live service."""
