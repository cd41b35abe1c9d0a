"""The SQLite journal, its files and its migrations."""
