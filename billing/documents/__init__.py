"""An issued invoice as a document: its words, its pages, its PDF.

Stands between services and queries: it takes what the queries read, and writes nothing.
"""
