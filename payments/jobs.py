from core.work import GATEWAY_QUEUE, PDF_QUEUE, Job

# Payload: payable_id. Charge what is owed, or go on with the attempt that is under way.
COLLECT = Job("payments.collect", queue=GATEWAY_QUEUE)
# Payload: charge_id. Ask the provider how an attempt stands.
LOOK = Job("payments.look", queue=GATEWAY_QUEUE)
# Payload: journey_id. Find out what the payer approved.
FINISH_JOURNEY = Job("payments.finish_journey", queue=GATEWAY_QUEUE)
# Payload: method_id. Ask the provider how a registered payer stands.
LOOK_AT_METHOD = Job("payments.look_at_method", queue=GATEWAY_QUEUE)
# Payload: method_id. Have the provider forget a payer who is detached here.
FORGET_PAYER = Job("payments.forget_payer", queue=GATEWAY_QUEUE)
# Payload: refund_id. Give money back, or go on with it.
REFUND = Job("payments.refund", queue=GATEWAY_QUEUE)
# Payload: notice_id.
PROCESS_NOTICE = Job("payments.process_notice", queue=GATEWAY_QUEUE)
# Payload: gateway, since, until (days, the latter not included).
RECONCILE = Job("payments.reconcile", queue=GATEWAY_QUEUE)
# Once a day: who has an unsound row of money is charged no more by itself.
CHECK_BOOKS = Job("payments.check_books")
# Payload: payable_ids. Tell the root of invoices that were issued.
ANNOUNCE = Job("payments.announce")
# Payload: payable_id. What can no longer be collected by itself is overdue.
MARK_OVERDUE = Job("payments.mark_overdue")
# Payload: payable_id. A payer did not come back from the provider's pages.
CLOSE_VISIT = Job("payments.close_visit", queue=GATEWAY_QUEUE)
# Payload: charge_id. Somebody wants the receipt of a payment as a PDF.
MAKE_RECEIPT = Job("payments.make_receipt", queue=PDF_QUEUE)
# Payload: payable_id. A spot order is paid: it is served, or given back.
SERVE_SPOT = Job("payments.serve_spot")
# Payload: order_id. A spot order was not paid within its time.
LAPSE_SPOT = Job("payments.lapse_spot", queue=GATEWAY_QUEUE)
