"""Risk: the probability of drop-off. What it means, the model that tells it, how that model is fitted and judged."""
