from core.work import PDF_QUEUE, Job

BILL_PAGE = Job("billing.bill_page")
MAKE_DOCUMENTS = Job("billing.make_documents", queue=PDF_QUEUE)
