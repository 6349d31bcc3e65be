"""Does a journal keep what it was given?"""
