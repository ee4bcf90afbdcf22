"""The fund over HTTP: what its policy is, what may be traded, how its modules do."""
