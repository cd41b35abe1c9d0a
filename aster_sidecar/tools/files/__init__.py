"""The tools that read and change files: list, read, search, write, edit, delete, move."""
