"""Settings, the files they come from, and the trusted projects that may set some of them."""
