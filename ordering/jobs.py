from core.work import Job

# No payload. Tell a page of roots of price changes that reach them, or no longer do.
TELL_OF_PRICES = Job("ordering.tell_of_prices")
