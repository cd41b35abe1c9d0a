"""The commands of `aster-sidecar`. They use the running daemon, if there is one."""
