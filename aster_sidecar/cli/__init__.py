"""What a person types: serving, the commands, doctor, completion and the terminal chat."""
