"""How an organisation's contract ends: what stands, and what a cancellation would come to."""
