"""The message broker beside Insula, where one is configured: RabbitMQ or Kafka, through FastStream.

Every event goes out to it as a CloudEvent, and what others put there for a tenant comes in as an
event of the tenant's log, where listeners, webhooks and live channels find it like any other.
"""
