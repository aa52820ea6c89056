"""The last stage: the outbox's editions carried over SMTP to a relay, each attempt on record.

`policy` decides and is pure; `courier` speaks to one relay over one connection; `stage` claims, renders and
settles. Whether a message may have arrived is told apart exactly; that it did can only be told by the relay.
"""
