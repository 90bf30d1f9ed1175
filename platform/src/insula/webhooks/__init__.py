"""Webhooks: a tenant's events, POSTed to where its admins say.

Deliveries are rows of the tenant, written by :mod:`insula.webhooks.fanout` as events come in and
sent by :mod:`insula.webhooks.sender` in the worker: at least once, in order per subject, retried
over days. Format and signatures are those of https://www.standardwebhooks.com.
"""
