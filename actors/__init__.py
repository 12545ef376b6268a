"""The stateful runtime: actors that own learners' records, the scoring pool, and the two runtimes that carry them."""
