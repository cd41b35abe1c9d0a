"""Access control and transports: guard, sockets, routes, WebSocket, SSE, OpenAPI and the built page."""
