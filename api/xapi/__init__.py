"""xAPI statements in: read strictly by the specification, mapped to events by data."""
