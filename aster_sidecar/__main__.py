"""`python -m aster_sidecar`: arguments → settings → exit code."""

from aster_sidecar.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
