from core.work import PDF_QUEUE, Job

# Payload: month (YYYY-MM), first_id and last_id of the organisations, both included.
BILL_PAGE = Job("billing.bill_page")
# Payload: invoice_ids.
MAKE_DOCUMENTS = Job("billing.make_documents", queue=PDF_QUEUE)

# Work for one invoice's document alone has this key, and the invoice's id.
ALONE = "invoice:"
