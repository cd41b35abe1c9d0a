"""`make bench` measures the daemon against a floor, a minimal server that stores nothing, in the same run."""
