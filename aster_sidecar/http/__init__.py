"""Who gets in and how it is spoken: guard, sockets, routes, WebSocket, SSE, OpenAPI and the built page."""
