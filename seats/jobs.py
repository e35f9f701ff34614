"""The background work of seats."""

from core.work import Job

# A range of organisations, and one that failed in its range.
SETTLE = Job("seats.settle")
SETTLE_ALONE = Job("seats.settle_alone")
TELL = Job("seats.tell")
# The rows of a file of accounts, some at a time.
IMPORT_ACCOUNTS = Job("seats.import_accounts")
