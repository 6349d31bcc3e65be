"""The command line: a program around the runtime, which opens a journal by its path, as applications do."""
