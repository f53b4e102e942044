"""The nouns: frozen values in the services' own terms; standard library only."""
