"""The nouns everyone shares: frozen values that know nothing of the outside world."""
