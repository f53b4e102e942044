"""The controller: looks at clouds for ever, plans, and carries out what the policy or a person allows."""
