"""The embedding API for an app's Python code: `Agent`, `Sidecar`, `tool`."""
