"""What the daemon costs beside a floor that keeps nothing, measured in the same run: `make bench`."""
