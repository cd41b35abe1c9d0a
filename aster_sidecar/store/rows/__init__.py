"""The rows of every table, typed, and all SQL that reads and writes them: one module for each table."""
