"""The version of this package, which is the version of the C interface it was written for.

It is its own file so that the build can read it without loading the library.
"""

__version__ = "0.2.0"
