"""Callbacks that prune inside the training loops of other libraries.

Each module needs its library, and is imported only by its own name.
"""
