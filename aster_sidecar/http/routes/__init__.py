"""The REST and SSE endpoints. Each reads its request, makes one call of the API, and wraps the answer."""
