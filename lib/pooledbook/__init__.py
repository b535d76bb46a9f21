"""The book's machinery: texts become executed notebooks, notebooks become an offline site.

Nothing here knows any statistics. Of its modules, chapters import only `prose`.
"""
