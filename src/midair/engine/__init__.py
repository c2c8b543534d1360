"""Carries decisions out: observe, let the core decide, store, act, wait. Decides nothing itself."""
