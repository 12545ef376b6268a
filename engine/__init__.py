"""What a learner is and how a learner changes: pure rules over records; no Ray, HTTP, SQL, clock or global chance."""
