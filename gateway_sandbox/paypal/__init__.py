"""PayPal: Vault v3, Orders v2, Payments v2, transaction search, webhooks."""
