"""What a companion around the chat needs: the first run, notifications, feature flags."""
