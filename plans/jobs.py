from core.work import Job

# Payload: contract_id. The next term of a main contract that renews by itself.
RENEW = Job("plans.renew")
# Payload: contract_id. Tell the root that a main contract is going to renew by itself.
ANNOUNCE_RENEWAL = Job("plans.announce_renewal")
