"""What an app's own Python imports: `Agent`, `Sidecar`, `tool`."""
