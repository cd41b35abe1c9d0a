"""The daemon process: start and stop, the data directory's lock, its launcher, and the wiring of all parts."""
