"""Mistakes made on purpose in the parts that decide, one at a time: does a test notice?"""
