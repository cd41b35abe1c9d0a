"""The REST, SSE and WebSocket endpoints. Each parses its request, makes one API call, and wraps the answer."""
