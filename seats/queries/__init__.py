"""The accounts that use a licence: how many there may be, who they are, who leaves."""
