from core.work import GATEWAY_QUEUE, Job

# Payload: cancellation_id. The last day is over: end what was contracted.
CLOSE = Job("cancellation.close")
# Payload: order_id. Give up a spot order that is not paid and would run beyond the last day.
GIVE_UP_ORDER = Job("cancellation.give_up_order", queue=GATEWAY_QUEUE)
# Payload: cancellation_id. Let the payment methods go once nothing more is to be collected by them.
SETTLE = Job("cancellation.settle")
