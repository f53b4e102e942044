"""Tell people and programs what a controller sees: webhooks and Slack, once each, until it has arrived."""
