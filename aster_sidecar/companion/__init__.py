"""For a companion app around the chat: the first run, notifications and feature flags."""
