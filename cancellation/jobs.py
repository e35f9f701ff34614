from core.work import GATEWAY_QUEUE, PDF_QUEUE, Job

# Payload: cancellation_id. The last day is over: end what was contracted.
CLOSE = Job("cancellation.close")
# Payload: order_id. Give up a spot order that is not paid and would run beyond the last day.
GIVE_UP_ORDER = Job("cancellation.give_up_order", queue=GATEWAY_QUEUE)
# Payload: cancellation_id. Let the payment methods go once nothing more is to be collected by them.
SETTLE = Job("cancellation.settle")
# Payload: cancellation_id. The receipt of what was confirmed is wanted as a PDF.
MAKE_RECEIPT = Job("cancellation.make_receipt", queue=PDF_QUEUE)
