"""What to simulate: scenario files whose ids are permanent, shipped with the package."""
