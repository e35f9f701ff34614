from core.work import Job

# Payload: contract_id. The next term of a main contract that renews by itself.
RENEW = Job("plans.renew")
# Payload: contract_id. Tell the root that a main contract is going to renew by itself.
ANNOUNCE_RENEWAL = Job("plans.announce_renewal")
# Payload: price_change_id, organisation_id. Store a price change for an organisation ahead of time.
REPRICE = Job("plans.reprice")
# Payload: price_change_id, organisation_id. Bring back what a withdrawn price change had replaced.
TAKE_BACK = Job("plans.take_back")
