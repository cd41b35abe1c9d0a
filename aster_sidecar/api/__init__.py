"""The API's calls, independent of the transport. REST and `/ws` both run these functions."""
