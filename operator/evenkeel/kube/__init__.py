"""A runtime for any operator: client, watches, store, queue, lease, apply and Events."""
