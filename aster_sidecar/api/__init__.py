"""What each call does. REST and `/ws` run these functions and nothing else."""
