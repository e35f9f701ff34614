"""Paid (paid.jp), API version 1.0 as gateways.md 3.2 knows it at second hand."""
