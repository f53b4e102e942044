"""What the operator wants: YAML in, typed and validated values out."""
