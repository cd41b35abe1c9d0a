"""Settings, the files that they come from, and the projects that may set some."""
