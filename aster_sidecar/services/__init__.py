"""Child processes: services under supervision, and how every program is launched and ended."""
