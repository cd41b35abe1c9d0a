"""The command `doctor`: checks what could keep a daemon from working on this machine, and names remedies."""
