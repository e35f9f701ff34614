from core.work import PDF_QUEUE, Job

# Payload: archive_id. Put together what a customer takes along.
MAKE = Job("archives.make", queue=PDF_QUEUE)
