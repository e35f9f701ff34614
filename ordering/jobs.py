from core.work import Job

# No payload. Tell a page of roots of price changes that reach them, or no longer do.
TELL_OF_PRICES = Job("ordering.tell_of_prices")
# Payload: after which organisation to go on. Warn a page of roots that accounts leave soon.
WARN_OF_LEAVING = Job("ordering.warn_of_leaving")
