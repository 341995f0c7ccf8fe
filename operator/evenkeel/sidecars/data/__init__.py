"""Brings training data into a volume before the trainer starts; runs in an image of its own.

That has Git, DVC and an S3 client beside the standard library; each is used by one file.
"""
