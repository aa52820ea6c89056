"""Publish: due issues become editions, and an edition becomes the message that is sent."""
