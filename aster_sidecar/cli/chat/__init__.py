"""The terminal chat: a client of a running daemon that draws on a terminal."""
